package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// worksOn returns the compactions and indexes of a block since the list was emptied.
func worksOn(work []string, block string) (kinds []string) {
	for _, w := range work {
		for _, kind := range []string{"compact", "index"} {
			if w == kind+" "+block {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// TestABlockIsIndexedAsItIsCompacted, if whoever compacts it does so, and by itself if not.
func TestABlockIsIndexedAsItIsCompacted(t *testing.T) {
	for _, indexes := range []bool{true, false} {
		s, work := sparseBlocks(t)
		s.indexes = indexes
		for _, key := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
			s.must(t, store(key, 68))
		}
		*work = nil
		s.must(t, store("1", 68), store("2", 68))
		s.settle()
		want := []string{"compact", "index"}
		if indexes {
			want = want[:1]
		}
		require.Equal(t, want, worksOn(*work, "1"))
		require.Zero(t, s.pub.Counts().Unindexed)
		require.NoError(t, s.e.CheckInvariants())
	}
}

// TestABlockIsNotIndexedAsItIsCompactedWhereBlocksGoSoon: the index would be work for nothing.
func TestABlockIsNotIndexedAsItIsCompactedWhereBlocksGoSoon(t *testing.T) {
	for lasted, from := range map[int64]int64{0: 1, 100 * millisecond: -1, 2 * second: 1} {
		s, overwrite := threeABlock(t, 9)
		s.cfg.IndexFrom = 1
		s.reopen()
		s.e.Tick(s.now)
		for key := 9; key < 15; key++ {
			overwrite(key)
			s.settle()
		}
		s.tick(s.now + lasted)
		overwrite(9, 10)
		require.NotEmpty(t, s.compactions())
		w := s.hold(t, engine.WorkCompact, s.compactions()[0])
		require.Equal(t, from, w.Compaction.IndexFrom, "blocks last %d ns", lasted)
	}
}
