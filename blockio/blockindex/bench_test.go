package blockindex

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

const benchMessages = 50_000

func perItem(b *testing.B, items int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/item")
}

func BenchmarkBuilder(b *testing.B) {
	for _, subjects := range []int{1, 10_000, 50_000} {
		b.Run(fmt.Sprintf("subjects=%d", subjects), func(b *testing.B) {
			blk := benchBlock(b, benchMessages, subjects)
			id, scan := blk.identity(), blockio.BlockScan{End: int64(len(blk.data))}
			builder := NewBuilder(testBlock)
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				builder.Reset(testBlock)
				for i, r := range blk.record {
					record := blk.data[r.Offset : r.Offset+int64(r.Size)]
					builder.Message(blk.seq[i], r.Time, r.Offset, record, record[22:22+len(blk.names[i])])
				}
				image, err := builder.Finish(id, &scan)
				if err != nil {
					b.Fatal(err)
				}
				size = len(image)
			}
			perItem(b, benchMessages)
			b.ReportMetric(float64(size)/benchMessages, "bytes/message")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	blk := benchBlock(b, benchMessages, 10_000)
	for b.Loop() {
		if _, _, err := Build("", testBlock, blk.key, blk.data, blk.stat()); err != nil {
			b.Fatal(err)
		}
	}
	perItem(b, benchMessages)
}

func BenchmarkCheck(b *testing.B) {
	blk := benchBlock(b, benchMessages, 10_000)
	image := blk.image(b)
	for b.Loop() {
		if err := Check(image, blk.identity()); err != nil {
			b.Fatal(err)
		}
	}
	perItem(b, benchMessages)
}

// BenchmarkOpenFirst is opening and the first look at a record and at a subject, with
// every page it needs verified.
func BenchmarkOpenFirst(b *testing.B) {
	blk := benchBlock(b, benchMessages, 10_000)
	image, id := blk.image(b), blk.identity()
	name := []byte(blk.names[100])
	b.ReportAllocs()
	for b.Loop() {
		x, err := Open(image, id, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Record(777); err != nil {
			b.Fatal(err)
		}
		if _, ok, err := x.Lookup(name); err != nil || !ok {
			b.Fatal(err)
		}
		x.DropPages()
	}
}

func BenchmarkOrdinalRecord(b *testing.B) {
	for _, gap := range []uint64{0, 100, 2} {
		b.Run(fmt.Sprintf("gap=%d", gap), func(b *testing.B) {
			blk, sequence := newBlock(), uint64(0)
			for i := range benchMessages {
				sequence++
				if gap > 0 && uint64(i)%gap == 0 {
					sequence++
				}
				blk.message(sequence, int64(i), "a", "")
			}
			x, at := blk.open(b), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				at = (at + 7919) % benchMessages
				ordinal, _, err := x.Ordinal(blk.seq[at])
				if err != nil {
					b.Fatal(err)
				}
				if _, err = x.Record(ordinal); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, subjects := range []int{100, 10_000, 50_000} {
		b.Run(fmt.Sprintf("subjects=%d", subjects), func(b *testing.B) {
			blk := benchBlock(b, benchMessages, subjects)
			x, names, at := blk.open(b), benchNames(subjects), 0
			keys := make([][]byte, len(names))
			for i, name := range names {
				keys[i] = []byte(name)
			}
			b.ReportAllocs()
			for b.Loop() {
				at = (at + 7919) % len(names)
				if _, ok, err := x.Lookup(keys[at]); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	blk := benchBlock(b, benchMessages, 10_000)
	image, id := blk.image(b), blk.identity()
	for _, text := range []string{">", "orders.region.a.>", "orders.*.*.*.created", "orders.region.*.12345.created", "none.>"} {
		set := mustSet(text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				x, err := Open(image, id, Options{})
				if err != nil {
					b.Fatal(err)
				}
				n = 0
				if err := x.Walk(&set, func(uint32, []byte, SubjectInfo) bool { n++; return true }); err != nil {
					b.Fatal(err)
				}
				x.DropPages()
			}
			perItem(b, max(n, 1))
		})
	}
}

func BenchmarkCursor(b *testing.B) {
	blk := benchBlock(b, benchMessages, 10)
	x, at := blk.open(b), 0
	b.ReportAllocs()
	for b.Loop() {
		at = (at + 7919) % benchMessages
		c, err := x.Postings(uint32(at % 10))
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.SeekAtLeast(at); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoAllocations: what a reader calls for each message leaves the collector alone.
func TestNoAllocations(t *testing.T) {
	blk := newBlock()
	for i := range 2000 {
		blk.message(uint64(3*i+1), int64(i), benchNames(500)[i%500], "")
	}
	blk.message(7000, 2000, string(make([]byte, 5000)), "")
	x, long := blk.open(t), make([]byte, 5000)
	name := []byte(blk.names[77])
	require.Zero(t, testing.AllocsPerRun(100, func() {
		ordinal, found, err := x.Ordinal(3*1000 + 1)
		r, recordErr := x.Record(ordinal)
		sequence, sequenceErr := x.Sequence(ordinal)
		rank, ok, lookupErr := x.Lookup(name)
		_, okLong, longErr := x.Lookup(long)
		info, infoErr := x.Info(rank)
		c, postingsErr := x.Postings(rank)
		at, hasNext, nextErr := c.SeekAtLeast(1000)
		_, hasPrev, prevErr := c.SeekAtMost(at - 1)
		_, timeErr := x.SearchTime(500)
		for _, err := range [...]error{err, recordErr, sequenceErr, lookupErr, longErr, infoErr, postingsErr, nextErr, prevErr, timeErr} {
			if err != nil {
				t.Error(err)
			}
		}
		if !found || !ok || !okLong || !hasNext || !hasPrev || r.Size == 0 || sequence != 3001 || info.Count != 4 {
			t.Error("wrong answer")
		}
	}))
	all := subject.Everything()
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() {
		_ = x.Walk(&all, func(uint32, []byte, SubjectInfo) bool { return true })
	}), 20.0, "a walk allocates for the longest name, not for each")
}
