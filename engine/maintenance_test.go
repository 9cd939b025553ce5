package engine_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// replied reports whether a reply with a tag is among those so far.
func (s *shell) replied(tag string) bool {
	return slices.ContainsFunc(s.replies, func(r engine.Reply) bool { return r.Tag == tag })
}

// TestASyncMakesDurableWhatWasThereWhenItBegan, and not what was written beside it.
func TestASyncMakesDurableWhatWasThereWhenItBegan(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncInterval })
	s.must(t, store("a", 0))
	s.tick(start + second)
	s.turn()
	sync := s.hold(t, engine.WorkSync, 1)
	s.step(store("a", 0))
	s.runCommits()
	s.e.Done(engine.Done{ID: sync.ID})
	s.turn()
	require.Equal(t, uint64(2), s.pub.Last())
	require.Equal(t, uint64(1), s.pub.Durable())
}

// TestBlocksAreRemovedOneAfterTheOther, the oldest first: a younger one that went before
// would leave a hole.
func TestBlocksAreRemovedOneAfterTheOther(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxBytes, c.IndexFrom = 200, 800, -1 })
	s.must(t, repeat(store("a", 100), 6)...)
	s.step(store("a", 600)) // evicts most of them
	for s.runCommits(); len(s.work) > 0 && s.work[0].Kind == engine.WorkLoad; s.runCommits() {
		s.runWork()
	}
	for block := uint32(1); block <= 4; block++ {
		require.Len(t, s.work, 1, "one removal at a time")
		w := s.hold(t, engine.WorkRemove, block)
		s.runCommits()
		require.Empty(t, s.work)
		s.e.Done(engine.Done{ID: w.ID})
		s.runCommits()
	}
}

// TestAStopWaitsForWhatIsOut: for the seal of a full block, and for an index.
func TestAStopWaitsForWhatIsOut(t *testing.T) {
	for _, row := range []struct {
		name  string
		level engine.SyncLevel
		kind  engine.WorkKind
	}{
		{"a seal", engine.SyncInterval, engine.WorkSeal},
		{"an index", engine.SyncAlways, engine.WorkIndex},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize, c.Level = 200, row.level })
			s.tick(start)
			for range 2 {
				s.step(store("a", 100))
				s.runCommits()
			}
			out := s.hold(t, row.kind, 1)
			s.step(sent{"stop", &engine.Stop{}})
			for range 3 {
				s.runCommits()
				for len(s.work) > 0 && s.runWork() {
				}
			}
			require.False(t, s.replied("stop"), "%v is out", out)
			s.e.Done(engine.Done{ID: out.ID})
			s.settle()
			require.True(t, s.replied("stop"))
		})
	}
}

// TestFewBlocksAreHeldForTheirIndexes, and none when memory is short.
func TestFewBlocksAreHeldForTheirIndexes(t *testing.T) {
	for _, row := range []struct {
		name  string
		tight bool
		most  int
	}{{"with memory to spare", false, 9}, {"short of memory", true, 1}} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 600_100, &buffers{tight: row.tight} })
			s.tick(start)
			for range 12 {
				s.step(store("a", 600_000))
				s.runCommits()
				require.LessOrEqual(t, s.e.MemoryBlocks(), row.most)
			}
			require.Equal(t, row.most, s.e.MemoryBlocks())
			s.settle()
			require.Equal(t, 1, s.e.MemoryBlocks())
		})
	}
}

// TestAnIndexIsAskedForOnce, however often its block's is found to be of no use.
func TestAnIndexIsAskedForOnce(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 200 })
	s.tick(start)
	s.must(t, repeat(store("a", 100), 3)...)
	for range 5 {
		s.e.Reindex(1)
	}
	s.turn()
	index := s.hold(t, engine.WorkIndex, 1)
	for range 5 {
		s.e.Reindex(1)
		s.e.Reindex(2)
		s.e.Reindex(3) // takes records
	}
	s.turn()
	require.Empty(t, s.work)
	require.Equal(t, uint64(2), s.pub.Counts().Unindexed)
	s.e.Done(engine.Done{ID: index.ID})
	s.settle()
	require.Zero(t, s.pub.Counts().Unindexed)
}

// TestABlockThatIsFullWhenItIsRecoveredGetsItsIndex: it takes no more records.
func TestABlockThatIsFullWhenItIsRecoveredGetsItsIndex(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 30 + 131 })
	s.must(t, store("a", 100)) // fills its block to the byte
	s.reopen()
	s.tick(start)
	s.turn()
	s.hold(t, engine.WorkIndex, 1)
}

// TestAFailureAnswersWhoWaitsAndHandsOutNothing: the flush that waits for a sync, the
// store that waits for a table, and the table itself.
func TestAFailureAnswersWhoWaitsAndHandsOutNothing(t *testing.T) {
	t.Run("a flush", func(t *testing.T) {
		s := open(func(c *engine.Config) { c.Level, c.BlockSize = engine.SyncInterval, 200 })
		s.must(t, store("a", 100))
		s.step(store("a", 100))
		s.step(sent{"flush", &engine.Flush{}})
		s.runCommits()
		s.hold(t, engine.WorkSeal, 1) // which the flush waits for
		require.False(t, s.replied("flush"))
		s.e.Fail(errDisk)
		s.turn()
		require.True(t, s.replied("flush"))
	})
	t.Run("a parked store", func(t *testing.T) {
		s := unloaded(t)
		s.untilLoad(t, 3)
		for s.e.Parked() == 0 {
			s.step(store("e", 0))
			s.runCommits()
		}
		s.step(sent{"parked", &engine.Store{}})
		s.runCommits()
		require.False(t, s.replied("parked"))
		s.e.Fail(errDisk)
		s.turn()
		require.True(t, s.replied("parked"))
	})
	t.Run("work that was not handed out", func(t *testing.T) {
		s := unloaded(t)
		w := s.untilLoad(t, 3)
		for s.e.Parked() == 0 {
			s.step(store("e", 0))
			s.runCommits()
		}
		s.e.Done(engine.Done{ID: w.ID, Err: errDisk})
		s.runCommits()
		s.work = nil
		s.tick(s.now + 2*second) // it is asked for again
		s.e.Fail(errDisk)
		s.turn()
		require.Empty(t, s.work, "a failed engine hands out work")
	})
}

// TestMemoryStaysWhileItIsWritten, however long that takes.
func TestMemoryStaysWhileItIsWritten(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 10))
	s.step(store("a", 10))
	s.turn()
	require.NotNil(t, s.commit)
	s.tick(start + 60*second)
	require.Equal(t, 1, s.e.MemoryBlocks())
	s.settle()
	require.Equal(t, []uint64{1, 2}, s.live())
}
