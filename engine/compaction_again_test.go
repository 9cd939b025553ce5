package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// kept returns which of the sequences first to last a compaction of a block would keep the tombstones of, when
// messages of it are removed until it is worth one.
func kept(t *testing.T, s *shell, block uint32, remove []uint64, first, last uint64) (list []uint64) {
	t.Helper()
	s.e.Tick(s.now)
	for _, sequence := range remove {
		s.step(removal(sequence))
	}
	for {
		if i := slices.IndexFunc(s.work, func(w engine.Work) bool { return w.Kind == engine.WorkCompact }); i >= 0 {
			require.Equal(t, block, s.work[i].Block)
			for sequence := first; sequence <= last; sequence++ {
				if s.work[i].Compaction.KeepTombstone(sequence) {
					list = append(list, sequence)
				}
			}
			return list
		}
		s.turn()
		if !s.busy() {
			require.True(t, s.linger(s.tick), "no compaction")
		}
		if i := slices.IndexFunc(s.work, func(w engine.Work) bool { return w.Kind == engine.WorkCompact }); i < 0 {
			s.runAny()
		}
	}
}

// TestWhatIsRemovedDuringACompactionIsCompacted then, without another removal.
func TestWhatIsRemovedDuringACompactionIsCompacted(t *testing.T) {
	s := open(compacting)
	for range 15 {
		s.must(t, store("a", 100))
	}
	compactions := 0
	s.trace = func(what string) {
		if strings.HasSuffix(what, "compact 1") {
			compactions++
		}
	}
	kept(t, s, 1, []uint64{2, 3}, 0, 0)
	s.step(removal(4))
	s.step(removal(5))
	s.settle()
	require.Equal(t, 2, compactions)
	require.NoError(t, s.e.CheckInvariants())
}

func compacting(c *engine.Config) {
	sevenABlock(c)
	c.CompactBelow = 75
}
