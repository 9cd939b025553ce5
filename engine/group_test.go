package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// layout prints the records of a block: m message, s skip, t tombstone, and a
// group mark with what it counts.
func layout(id uint32, data []byte) string {
	var parts []string
	end := walk(id, data, func(_ int64, r record) {
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
		{"one record needs no mark", 1000, [][]sent{{store("", 0)}}, []string{"m1"}},
		{"single records after each other", 1000, [][]sent{{store("", 0)}, {skip(0, 1)}, {store("", 0)}}, []string{"m1 s2 m3"}},
		{"two records", 1000, [][]sent{{store("", 0), store("", 1)}}, []string{"g(2,61) m1 m2"}},
		{"a skip counts", 1000, [][]sent{{store("", 0), skip(0, 9), store("", 0)}}, []string{"g(3,90) m1 s10 m11"}},
		{"a batch of one", 1000, [][]sent{{batchOf(1, 0)}}, []string{"m1"}},
		{"a batch in a group", 1000, [][]sent{{store("", 0), batchOf(2, 0)}}, []string{"g(3,90) m1 m2 m3"}},
		{"one mark a block", 100, [][]sent{repeat(store("", 0), 5)}, []string{"g(2,60) m1 m2", "g(2,60) m3 m4", "m5"}},
		{"a block is filled to its size without a mark", 60, [][]sent{{store("", 0)}, {store("", 0)}, {store("", 0)}}, []string{"m1 m2", "m3"}},
		{"the last record of a block stands alone", 100, [][]sent{{store("", 0), store("", 40)}, {store("", 0)}}, []string{"m1", "m2 m3"}},
		{"an oversized record has its own block", 100, [][]sent{{store("", 0), store("", 200), store("", 0)}}, []string{"m1", "m2", "m3"}},
		{"a batch lies in one block", 100, [][]sent{{store("", 0)}, {batchOf(2, 0)}}, []string{"m1", "g(2,60) m2 m3"}},
		{"an oversized batch has its own block", 100, [][]sent{{store("", 0), batchOf(5, 0), store("", 0)}},
			[]string{"m1", "g(5,150) m2 m3 m4 m5 m6", "m7"}},
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

func TestALengthThatLooksCompressedIsNeverFirst(t *testing.T) {
	for _, row := range []struct {
		name   string
		length int
		before []sent
		want   string
	}{
		{"first in its block", 0x706d63, nil, "g(1,7368035) m1"},
		{"with a higher byte", 0x1706d63, nil, "g(1,24145251) m1"},
		{"one byte less", 0x706d62, nil, "m1"},
		{"not the first", 0x706d63, []sent{skip(0, 1)}, "s1 m2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = 64 << 20 })
			s.must(t, row.before...)
			s.must(t, store("", row.length-30))
			data := s.disk.current[1]
			if got := layout(1, data); got != row.want || string(data[:3]) == "cmp" {
				t.Fatalf("%s", got)
			}
			if r, ok := s.read(s.pub.Last()); !ok || r.size != row.length {
				t.Fatalf("reads as %d bytes", r.size)
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
			groups, left := 0, 0
			if end := walk(id, data, func(_ int64, r record) {
				switch {
				case r.kind == 'g' && (left > 0 || r.records < 2):
					t.Fatalf("block %d: %s", id, layout(id, data))
				case r.kind == 'g':
					left = r.records
					groups++
				case left > 0:
					left--
				default:
					groups++
				}
			}); end != int64(len(data)) || left != 0 {
				t.Fatalf("block %d: %s", id, layout(id, data))
			}
			if int64(len(data)) > mc.cfg.BlockSize && groups > 1 {
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
	for seed := range 50 {
		one, two := script.Example(seed), script.Example(seed)
		if !slices.Equal(one, two) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
	}
}
