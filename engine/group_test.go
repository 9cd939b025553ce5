package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// layout prints the records of a block: m message, s skip, t tombstone, and g the mark
// of a frame of so many records and bytes.
func layout(id uint32, data []byte) string { return layoutFrom(id, data, 0) }

// layoutFrom is layout for a part of a block that begins with a mark. crc is the
// checksum of the mark before it.
func layoutFrom(id uint32, data []byte, crc uint32) string {
	var parts []string
	end := walkFrom(id, data, crc, func(_ int64, r record) {
		switch r.kind {
		case 'g':
			parts = append(parts, fmt.Sprintf("g(%d,%d)", r.records, r.bytes))
		default:
			parts = append(parts, fmt.Sprintf("%c%d", r.kind, r.sequence))
		}
	})
	if end != int64(len(data)) {
		parts = append(parts, "?")
	}
	return strings.Join(parts, " ")
}

func TestGroupsAreMarked(t *testing.T) {
	for _, row := range []struct {
		name      string
		blockSize int64
		groups    [][]sent
		want      []string // of blocks 1, 2, ...
	}{
		{"one record", 1000, [][]sent{{store("", 0)}}, []string{"g(1,30) m1"}},
		{"single records after each other", 1000, [][]sent{{store("", 0)}, {skip(0, 1)}, {store("", 0)}},
			[]string{"g(1,30) m1 g(1,30) s2 g(1,30) m3"}},
		{"two records", 1000, [][]sent{{store("", 0), store("", 1)}}, []string{"g(2,61) m1 m2"}},
		{"a skip counts", 1000, [][]sent{{store("", 0), skip(0, 9), store("", 0)}}, []string{"g(3,90) m1 s10 m11"}},
		{"a batch of one", 1000, [][]sent{{batchOf(1, 0)}}, []string{"g(1,30) m1"}},
		{"a batch in a group", 1000, [][]sent{{store("", 0), batchOf(2, 0)}}, []string{"g(3,90) m1 m2 m3"}},
		{"one mark a block", 100, [][]sent{repeat(store("", 0), 5)}, []string{"g(2,60) m1 m2", "g(2,60) m3 m4", "g(1,30) m5"}},
		{"a block is filled to its size", 120, [][]sent{{store("", 0)}, {store("", 0)}, {store("", 0)}},
			[]string{"g(1,30) m1 g(1,30) m2", "g(1,30) m3"}},
		{"a block has no room for a record and its mark", 119, [][]sent{{store("", 0)}, {store("", 0)}}, []string{"g(1,30) m1", "g(1,30) m2"}},
		{"the last record of a group has another block", 120, [][]sent{{store("", 40), store("", 0)}, {store("", 0)}},
			[]string{"g(1,70) m1", "g(1,30) m2 g(1,30) m3"}},
		{"an oversized record has its own block", 100, [][]sent{{store("", 0), store("", 200), store("", 0)}},
			[]string{"g(1,30) m1", "g(1,230) m2", "g(1,30) m3"}},
		{"a batch lies in one block", 100, [][]sent{{store("", 0)}, {batchOf(2, 0)}}, []string{"g(1,30) m1", "g(2,60) m2 m3"}},
		{"a batch fills a block to its size", 150, [][]sent{{store("", 0)}, {batchOf(2, 0)}}, []string{"g(1,30) m1 g(2,60) m2 m3"}},
		{"a batch fills the open frame to the block's size", 120, [][]sent{{store("", 0), batchOf(2, 0)}}, []string{"g(3,90) m1 m2 m3"}},
		{"an oversized batch has its own block", 100, [][]sent{{store("", 0), batchOf(5, 0), store("", 0)}},
			[]string{"g(1,30) m1", "g(5,150) m2 m3 m4 m5 m6", "g(1,30) m7"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = row.blockSize })
			for _, g := range row.groups {
				s.must(t, g...)
			}
			for i, want := range row.want {
				if got := layout(uint32(i+1), s.disk.current[uint32(i+1)]); got != want {
					t.Errorf("block %d: %s, want %s", i+1, got, want)
				}
			}
			if n := len(s.disk.blocks()); n != len(row.want) {
				t.Errorf("%d blocks", n)
			}
			for sequence := s.pub.First(); sequence <= s.pub.Last(); sequence++ {
				r, ok := s.read(sequence)
				if ok != (r.kind == 'm') {
					t.Errorf("%d reads as %+v", sequence, r)
				}
			}
		})
	}
}

// TestEveryBlockBeginsWithAMark, whose length is always the same: a length that looks
// like the first bytes of a compressed block is never what a block begins with.
func TestEveryBlockBeginsWithAMark(t *testing.T) {
	const looksCompressed = 0x706d63 // "cmp", little-endian
	mark := []byte{30, 0, 0, 0}
	for _, row := range []struct {
		name   string
		size   int64 // of a block
		first  uint64
		groups [][]sent
		want   []string
	}{
		{"a length that looks compressed", 64 << 20, 0, [][]sent{{store("", looksCompressed-30)}}, []string{"g(1,7368035) m1"}},
		{"with a higher byte", 64 << 20, 0, [][]sent{{store("", 1<<24+looksCompressed-30)}}, []string{"g(1,24145251) m1"}},
		{"as the last of a group", 100, 0, [][]sent{{store("", 0), store("", looksCompressed-30)}}, []string{"g(1,30) m1", "g(1,7368035) m2"}},
		{"as a batch", 100, 0, [][]sent{{store("", 0), batchOf(1, looksCompressed-30)}}, []string{"g(1,30) m1", "g(1,7368035) m2"}},
		{"a skip", 60, 0, [][]sent{{store("", 0)}, {skip(0, 1)}}, []string{"g(1,30) m1", "g(1,30) s2"}},
		{"a tombstone", 60, 10, [][]sent{{store("", 0)}}, []string{"g(1,30) t9", "g(1,30) m10"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize, c.FirstSequence = row.size, row.first })
			for _, g := range row.groups {
				s.must(t, g...)
			}
			require.Len(t, s.disk.current, len(row.want))
			for i, want := range row.want {
				data := s.disk.current[uint32(i+1)]
				require.Equal(t, want, layout(uint32(i+1), data))
				require.Equal(t, mark, data[:4])
			}
		})
	}
}

func TestBlocksKeepTheirSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mc := newMachine(drawSmallConfig(t), newDisk())
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if err := mc.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		for _, id := range mc.disk.blocks() {
			data := mc.disk.current[id]
			frames, left := 0, 0
			if end := walk(id, data, func(_ int64, r record) {
				switch {
				case r.kind != 'g':
					left--
				case left != 0 || r.records == 0:
					t.Fatalf("block %d: %s", id, layout(id, data))
				default:
					left = r.records
					frames++
				}
				if left < 0 {
					t.Fatalf("block %d has a record without a mark: %s", id, layout(id, data))
				}
			}); end != int64(len(data)) || left != 0 {
				t.Fatalf("block %d: %s", id, layout(id, data))
			}
			if int64(len(data)) > mc.cfg.BlockSize && frames > 1 {
				t.Fatalf("block %d has %d bytes: %s", id, len(data), layout(id, data))
			}
		}
	})
}

func TestSameInputsGiveTheSameBytes(t *testing.T) {
	script := rapid.Custom(func(t *rapid.T) []string {
		var trace []string
		mc := newMachine(drawConfig(t), newDisk())
		mc.trace = func(line string) { trace = append(trace, line) }
		for range 80 {
			if err := mc.act(t); err != nil {
				return append(trace, err.Error())
			}
		}
		return trace
	})
	seeds := 50
	if testing.Short() { // one goroutine, in which the race detector finds nothing
		seeds = 5
	}
	for seed := range seeds {
		one, two := script.Example(seed), script.Example(seed)
		if !slices.Equal(one, two) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
	}
}
