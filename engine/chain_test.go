package engine_test

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// marksOf returns the checksums of the marks of a block, and what each should be: that of
// the lengths of all records in the block up to the end of its frame, as of one text.
func marksOf(id uint32, data []byte) (marks, want []uint32) {
	var lengths []byte
	for at := 0; ; {
		r, ok := decode(id, data[at:])
		if !ok {
			return marks, want
		}
		at += r.size
		if r.kind != 'g' {
			continue
		}
		for end := at + r.bytes; at < end; {
			member, ok := decode(id, data[at:])
			if !ok {
				return append(marks, r.crc), want
			}
			lengths = append(lengths, data[at:at+4]...)
			at += member.size
		}
		marks, want = append(marks, r.crc), append(want, crc32.Checksum(lengths, castagnoli))
	}
}

// requireChains checks the marks of all blocks, and returns how many there are of each.
func requireChains(t require.TestingT, d *disk) map[uint32]int {
	counts := make(map[uint32]int)
	for id, data := range d.current {
		marks, want := marksOf(id, data)
		require.Equal(t, want, marks, "block %d: %s", id, layout(id, data))
		counts[id] = len(marks)
	}
	return counts
}

// TestMarksAreAChain: the checksum of each mark in a block goes on from that of the mark
// before, and begins with 0 in the first, whatever is in the frames and when they are
// written, and also where an engine goes on in a block of the one before.
func TestMarksAreAChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mc := newMachine(drawConfig(t), newDisk())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if err := mc.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		requireChains(t, mc.disk)
	})
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(c *engine.Config) { c.Level, c.FirstSequence, c.BlockSize = level, 5, 600 }) // begins with a tombstone
		for range 3 {
			s.must(t, store("a", 1))
			s.must(t, batchOf(3, 2))
			s.must(t, skip(0, 7), store("b", 3), skip(0, 1))
		}
		s.must(t, sent{"stop", &engine.Stop{}})
		require.Equal(t, "g(1,30) t4 g(1,32) m5 g(3,96) m6 m7 m8 g(3,94) s15 m16 s17 "+
			"g(1,32) m18 g(3,96) m19 m20 m21", layout(1, s.disk.current[1]), level)
		require.Equal(t, map[uint32]int{1: 6, 2: 4}, requireChains(t, s.disk), level)
	}
}

// TestTheChainGoesOnAfterARestart, from the last mark of the block that takes the next
// records, and begins anew in another block.
func TestTheChainGoesOnAfterARestart(t *testing.T) {
	for _, row := range []struct {
		name   string
		blocks map[uint32][]byte
		tail   uint32
		size   int64 // of blocks, 0 for what testConfig has
		marks  map[uint32]int
	}{
		{"frames", map[uint32][]byte{1: blockOf(1, frameOf(msg(1), msg(2)), frameOf(msg(3)))}, 1, 0, map[uint32]int{1: 4}},
		{"a mark of no records", map[uint32][]byte{1: blockOf(1, frameOf(msg(1)), frameOf())}, 1, 0, map[uint32]int{1: 4}},
		{"records without marks", map[uint32][]byte{1: blockOf(1, msg(1), msg(2))}, 1, 0, map[uint32]int{1: 2}},
		{"a block that is full", map[uint32][]byte{1: blockOf(1, frameOf(msg(1), msg(2)))}, 2, 100, map[uint32]int{1: 1, 2: 1, 3: 1}},
		{
			"sequences that go back", map[uint32][]byte{
				1: blockOf(1, frameOf(msg(1), msg(2))), 2: blockOf(2, frameOf(msg(2), msg(3))),
			}, 2, 0, map[uint32]int{1: 1, 2: 3},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDisk()
			d.current = row.blocks
			cfg := testConfig()
			if row.size > 0 {
				cfg.BlockSize = row.size
			}
			s := newShell(cfg, d, engine.NewPublished(), start)
			last := s.pub.Last()
			s.must(t, store("a", 10))
			require.Equal(t, row.tail, s.pub.View().Find(last+1).ID)
			s.reopen()
			s.must(t, store("a", 10))
			require.Equal(t, row.marks, requireChains(t, d))
			for id, data := range d.current {
				require.Equal(t, int64(len(data)), walk(id, data, func(int64, record) {}))
			}
		})
	}
}
