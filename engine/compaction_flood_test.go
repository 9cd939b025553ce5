package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// flooded opens a stream at SyncNever, in blocks of seven messages, whose disk is as slow as the test has it.
func flooded(t *testing.T) *shell {
	s := open(func(c *engine.Config) {
		compacting(c)
		c.Level = engine.SyncNever
	})
	s.e.Tick(s.now)
	t.Cleanup(func() { require.NoError(t, s.e.CheckInvariants()) })
	return s
}

// write has all that was given to the engine written, and nothing synced.
func (s *shell) write() {
	syncs := []engine.WorkKind{engine.WorkSync, engine.WorkSeal, engine.WorkCompact, engine.WorkRemove}
	other := func(w engine.Work) bool { return !slices.Contains(syncs, w.Kind) }
	for s.turn(); s.commit != nil || s.first(other) || s.linger(s.tick); s.turn() {
		if !s.runCommit() && s.first(other) {
			s.runWork()
		}
	}
}

// first puts the first work that is such in front. It is false when there is none.
func (s *shell) first(such func(engine.Work) bool) bool {
	i := slices.IndexFunc(s.work, such)
	if i > 0 {
		w := s.work[i]
		s.work = slices.Insert(slices.Delete(s.work, i, i+1), 0, w)
	}
	return i >= 0
}

// out returns the blocks that work of a kind is out for.
func (s *shell) out(kind engine.WorkKind) (blocks []uint32) {
	for _, w := range s.work {
		if w.Kind == kind {
			blocks = append(blocks, w.Block)
		}
	}
	return blocks
}

// runNext carries out the next work of a kind.
func (s *shell) runNext(t *testing.T, kind engine.WorkKind) {
	t.Helper()
	require.True(t, s.first(func(w engine.Work) bool { return w.Kind == kind }), "%v", s.work)
	s.runWork()
	s.write()
}

// TestACompactionDoesNotWaitForWhatIsStoredMeanwhile: in a stream that is written to faster than the disk syncs, what
// was stored last is always far from durable. The removals are, and that is enough.
func TestACompactionDoesNotWaitForWhatIsStoredMeanwhile(t *testing.T) {
	s := flooded(t)
	for range 4 * 7 {
		s.must(t, store("a", 100))
	}
	s.must(t, sent{"flush", &engine.Flush{}})
	for block := range uint64(3) {
		for i := range uint64(4) {
			s.step(removal(7*block + i + 2))
		}
	}
	s.write()
	require.Empty(t, s.out(engine.WorkCompact), "the removals are not durable")
	for i := range 70 {
		s.step(store(fmt.Sprint(i), 100))
		s.write()
	}
	seals := len(s.out(engine.WorkSeal))
	require.Greater(t, seals, 8)
	for len(s.out(engine.WorkCompact)) == 0 {
		s.runNext(t, engine.WorkSeal) // of the block that has the tombstones
	}
	for _, block := range []uint32{1, 2, 3} {
		require.Contains(t, s.out(engine.WorkCompact), block)
		s.runNext(t, engine.WorkCompact)
	}
	require.GreaterOrEqual(t, len(s.out(engine.WorkSeal)), seals-2, "that takes the removals, and nothing else")
	s.settle()
}

// TestACompactionWaitsForWhatShowsTheLastSequence, when that is not durable: the block that loses its last message shows
// it until then.
func TestACompactionWaitsForWhatShowsTheLastSequence(t *testing.T) {
	s := flooded(t)
	for range 5 {
		s.must(t, store("a", 100))
	}
	for _, sequence := range []uint64{2, 3, 4, 5} {
		s.must(t, removal(sequence))
	}
	s.must(t, sent{"flush", &engine.Flush{}})
	s.step(store("b", 500)) // in a block of its own
	s.write()
	s.runNext(t, engine.WorkSeal)
	require.Equal(t, []uint32{1, 2}, s.disk.blocks())
	for len(s.out(engine.WorkCompact)) == 0 {
		after := newShell(s.cfg, s.disk.crash(dropAll), engine.NewPublished(), s.now)
		require.EqualValues(t, 5, after.pub.Last())
		require.Contains(t, s.out(engine.WorkSync), uint32(2), "nothing would make it durable")
		s.runNext(t, engine.WorkSync)
	}
	s.runNext(t, engine.WorkCompact)
	after := newShell(s.cfg, s.disk.crash(dropAll), engine.NewPublished(), s.now)
	require.EqualValues(t, 6, after.pub.Last())
	s.settle()
}

// TestACompactionWaitsForTheFloorThatReplacesItsOwn: until that is durable, a block in front whose file is still there
// is gone by the floor in the block that is written anew.
func TestACompactionWaitsForTheFloorThatReplacesItsOwn(t *testing.T) {
	s := flooded(t)
	for range 7 + 7 + 5 {
		s.must(t, store("a", 100))
	}
	s.step(sent{"compact", &engine.Compact{Sequence: 8}}) // its floor is in block 3
	s.write()
	for range 3 * 7 {
		s.step(store("a", 100))
		s.write()
	}
	remove := func(sequences ...uint64) {
		for _, sequence := range sequences {
			s.step(removal(sequence))
		}
		s.write()
		for s.first(func(w engine.Work) bool { return w.Kind == engine.WorkSeal || w.Kind == engine.WorkSync }) {
			s.runWork()
			s.write()
		}
	}
	remove(21, 22, 23, 24, 28, 29, 30, 31)
	require.ElementsMatch(t, []uint32{4, 5}, s.out(engine.WorkCompact), "no other one begins")
	remove(16, 17, 18)
	s.step(sent{"flush", &engine.Flush{}})
	s.write()
	s.step(sent{"compact", &engine.Compact{Sequence: 15}}) // its floor is in the last block
	s.write()
	s.runNext(t, engine.WorkCompact)
	for !slices.Contains(s.out(engine.WorkCompact), 3) {
		after := newShell(s.cfg, s.disk.crash(dropAll), engine.NewPublished(), s.now)
		require.EqualValues(t, 8, after.pub.First())
		s.runNext(t, engine.WorkSync)
	}
	require.Contains(t, s.disk.blocks(), uint32(1), "its removal would hide what the floor is for")
	for len(s.out(engine.WorkCompact)) > 0 {
		s.runNext(t, engine.WorkCompact)
	}
	after := newShell(s.cfg, s.disk.crash(dropAll), engine.NewPublished(), s.now)
	require.EqualValues(t, 15, after.pub.First())
	s.settle()
}
