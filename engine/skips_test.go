package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestSkipsOneByOneDoNotGrow: a block that has nothing but skips goes when the next one begins, so a stream of very
// many single skips takes no more room than that of a few blocks, on disk and in memory, now and after it was opened.
func TestSkipsOneByOneDoNotGrow(t *testing.T) {
	for _, row := range []struct {
		name   string
		before []sent
		after  []sent
	}{
		{"in a new stream", nil, nil},
		{"behind a message", []sent{store("a", 0)}, nil},
		{"between messages", []sent{store("a", 0)}, []sent{store("a", 0)}},
		{"behind a message that goes", []sent{store("a", 0)}, []sent{{"remove", &engine.Remove{Sequence: 1}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = 1 << 10 })
			s.must(t, row.before...)
			skips := 2000
			for i := range skips {
				s.step(skip(0, 1))
				if i%7 == 0 {
					s.settle()
				}
			}
			s.must(t, row.after...)
			for range 2 {
				require.LessOrEqual(t, len(s.disk.blocks()), 4)
				require.LessOrEqual(t, len(s.pub.View().Blocks()), 4)
				require.LessOrEqual(t, len(s.e.Deleted()), 1)
				require.GreaterOrEqual(t, s.pub.Last(), uint64(skips+len(row.before)))
				s.reopen()
			}
		})
	}
}

// TestManyShortSkipsAreBounded: what a skip between any two messages takes in memory is that of the messages' own
// entries, not more for longer skips.
func TestManyShortSkipsAreBounded(t *testing.T) {
	sizes := make([]float64, 0, 2)
	for _, n := range []uint64{1, 1 << 40} {
		s := open(func(*engine.Config) {})
		s.must(t, store("a", 0))
		sizes = append(sizes, testing.AllocsPerRun(20, func() { s.must(t, skip(0, n), store("a", 0)) }))
	}
	require.InDelta(t, sizes[0], sizes[1], 3)
}
