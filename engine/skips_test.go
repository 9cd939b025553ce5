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
// entries, not more for longer skips, and for very long ones, which take a block each, that of a block.
func TestManyShortSkipsAreBounded(t *testing.T) {
	for _, lengths := range [][2]uint64{{1, 1 << 10}, {1 << 17, 1 << 40}} {
		var sizes [2]float64
		for i, n := range lengths {
			s := open(func(*engine.Config) {})
			s.must(t, store("a", 0))
			sizes[i] = testing.AllocsPerRun(20, func() { s.must(t, skip(0, n), store("a", 0)) })
		}
		require.InDelta(t, sizes[0], sizes[1], 3)
	}
}

// TestLongSkipsAreBetweenBlocks: a nats-server that reads a block has an entry for each sequence between two messages
// of it that has none, and of the others none. So no block has more than 65,536 of them for skips.
func TestLongSkipsAreBetweenBlocks(t *testing.T) {
	most := uint64(1 << 16)
	for _, row := range []struct {
		name   string
		script []sent
		blocks int
	}{
		{"as many as may be", []sent{store("a", 0), skip(0, most), store("a", 0)}, 1},
		{"one more", []sent{store("a", 0), skip(0, most+1), store("a", 0)}, 2},
		{"together one more", []sent{store("a", 0), skip(0, most), store("a", 0), skip(0, 1), store("a", 0)}, 2},
		{"with one that is removed", []sent{store("a", 0), store("a", 0), {"remove", &engine.Remove{Sequence: 2}}, skip(0, most)}, 2},
		{"behind one that is removed, whose block goes", []sent{store("a", 0), {"remove", &engine.Remove{Sequence: 1}}, skip(0, most)}, 1},
		{"before all messages", []sent{skip(0, 1<<40), store("a", 0), skip(0, most), store("a", 0)}, 1},
		{"after a compaction to far beyond the end", []sent{store("a", 0), {"compact", &engine.Compact{Sequence: 1 << 40}}, skip(0, 1<<40), store("a", 0), skip(0, most)}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(*engine.Config) {})
			s.must(t, row.script...)
			for range 2 {
				require.Len(t, s.pub.View().Blocks(), row.blocks)
				s.reopen()
			}
		})
	}
}
