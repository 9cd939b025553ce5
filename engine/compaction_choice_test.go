package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// threeABlock opens a stream with blocks of three keys, from 0 on, at SyncAlways, in which keys are overwritten.
func threeABlock(t *testing.T, keys int) (s *shell, overwrite func(keys ...int)) {
	s, _ = sparseBlocks(t)
	s.cfg.Level = engine.SyncAlways
	s.disk, s.pub = newDisk(), engine.NewPublished()
	s.recover(0, 0)
	s.e.Tick(s.now)
	overwrite = func(keys ...int) {
		for _, key := range keys {
			s.step(store(fmt.Sprintf("%02d", key), 68))
			s.runCommits()
		}
	}
	for key := range keys {
		overwrite(key)
		s.settle()
	}
	return s, overwrite
}

// compactions returns of which blocks compactions are out.
func (s *shell) compactions() (blocks []uint32) {
	for _, w := range s.work {
		if w.Kind == engine.WorkCompact {
			blocks = append(blocks, w.Block)
		}
	}
	return blocks
}

// complete carries out a compaction that is out, whatever else is.
func (s *shell) complete(t *testing.T, block uint32) {
	t.Helper()
	w := s.hold(t, engine.WorkCompact, block)
	s.work = slices.Insert(s.work, 0, w)
	require.True(t, s.runWork())
	s.runCommits()
}

// TestTheBlockWithMostToWinIsCompactedNext, two at a time: where blocks get sparse faster than they are compacted the
// most room comes back.
func TestTheBlockWithMostToWinIsCompactedNext(t *testing.T) {
	s, overwrite := threeABlock(t, 18)
	overwrite(0)
	require.Equal(t, []uint32{1}, s.compactions())
	overwrite(3)
	require.Equal(t, []uint32{1, 2}, s.compactions())
	overwrite(6, 9, 10)
	require.Equal(t, []uint32{1, 2}, s.compactions(), "no more than two are out")
	s.complete(t, 2)
	require.Equal(t, []uint32{1, 4}, s.compactions(), "block 3 has become sparse before it, but there is less to win")
	s.complete(t, 1)
	require.Equal(t, []uint32{4, 3}, s.compactions())
	s.settle()
	require.NoError(t, s.e.CheckInvariants())
	live := s.live()
	require.Len(t, live, 18)
	s.reopen()
	require.Equal(t, live, s.live())
}

// TestBlocksAreCompressedOneAtATime: each keeps a processor busy, which those who store want too.
func TestBlocksAreCompressedOneAtATime(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Compress = 5000, true })
	s.tick(start)
	for range 4 {
		s.step(store("a", 5000)) // a block each
		s.runCommits()
	}
	require.Equal(t, []uint32{1}, s.compactions())
	s.complete(t, 1)
	require.Equal(t, []uint32{2}, s.compactions())
	s.settle()
	require.Empty(t, s.compactions())
	require.NoError(t, s.e.CheckInvariants())
}

// TestTheFileOfAnEvictedBlockHoldsNoCompactionUp of a block without tombstones, although it has not been removed yet.
// One with tombstones waits: some of them may be of messages in that file.
func TestTheFileOfAnEvictedBlockHoldsNoCompactionUp(t *testing.T) {
	for _, tombstones := range []bool{false, true} {
		t.Run(fmt.Sprint("with tombstones ", tombstones), func(t *testing.T) {
			s, overwrite := threeABlock(t, 7) // the last one is in block 3
			if tombstones {
				s.must(t, sent{"remove", &engine.Remove{Sequence: 6}})
			}
			overwrite(10, 11, 12)
			s.settle()
			for key := range 3 { // in one group: block 1 goes
				s.step(store(fmt.Sprintf("%02d", key), 68))
			}
			s.runCommits()
			removal := s.hold(t, engine.WorkRemove, 1)
			overwrite(6, 10)
			if tombstones {
				require.Empty(t, s.compactions())
			} else {
				require.Equal(t, []uint32{3}, s.compactions())
			}
			s.work = slices.Insert(s.work, 0, removal)
			require.True(t, s.runWork())
			s.runCommits()
			require.Equal(t, []uint32{3}, s.compactions())
			s.settle()
			require.NoError(t, s.e.CheckInvariants())
		})
	}
}
