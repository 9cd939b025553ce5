package engine

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// The benchmarks compare deletedSet with what docs/decisions/0009-deleted-sets.md
// rejects: runsSet and bitmapSet.

// deletions is what the benchmarks ask of a set of deleted sequences.
type deletions interface {
	// with returns a set that has one more sequence, as it is shown to readers. The
	// set itself stays as it is.
	with(sequence uint64) deletions
	contains(sequence uint64) bool
	within(from, to uint64) uint64
	liveAfter(sequence uint64) uint64
	liveBefore(sequence uint64) uint64
	bytes() int
}

// hybrid is deletedSet.
type hybrid struct {
	set  deletedSet
	seen *deletedSnapshot
}

func newHybrid(sequences []uint64, _ uint64) deletions {
	var s deletedSet
	for _, at := range sequences {
		s.add(at, at)
	}
	return &hybrid{s, s.snapshot()}
}

func (h *hybrid) with(sequence uint64) deletions {
	s := hybrid{set: h.set}
	s.set.add(sequence, sequence)
	s.seen = s.set.snapshot()
	return &s
}

func (h *hybrid) contains(sequence uint64) bool     { return h.seen.stretches().contains(sequence) }
func (h *hybrid) within(from, to uint64) uint64     { return h.seen.within(from, to) }
func (h *hybrid) liveAfter(sequence uint64) uint64  { return h.seen.stretches().liveAfter(sequence) }
func (h *hybrid) liveBefore(sequence uint64) uint64 { return h.seen.stretches().liveBefore(sequence) }

func (h *hybrid) bytes() int {
	n := int(unsafe.Sizeof(h.set)) + len(h.set.list)*int(unsafe.Sizeof(stretch{}))
	for i := range h.set.list {
		if h.set.list[i].bits != nil {
			n += int(unsafe.Sizeof(window{}))
		}
	}
	return n
}

// runsSet is a sorted list of ranges, each of which knows how much is deleted before
// it. A change in the middle copies the list.
type runsSet struct{ list stretches }

func newRunsSet(sequences []uint64, _ uint64) deletions {
	s := &runsSet{}
	sorted := slices.Clone(sequences)
	slices.Sort(sorted)
	for _, at := range sorted {
		if n := len(s.list); n > 0 && s.list[n-1].last+1 == at {
			s.list[n-1].last++
		} else {
			s.list = append(s.list, stretch{first: at, last: at})
		}
	}
	s.sum()
	return s
}

func (s *runsSet) sum() {
	var before uint64
	for i := range s.list {
		s.list[i].before = before
		before += s.list[i].last - s.list[i].first + 1
	}
}

func (s *runsSet) with(sequence uint64) deletions {
	i := s.list.search(sequence)
	own := &runsSet{make(stretches, 0, len(s.list)+1)}
	own.list = append(own.list, s.list[:i]...)
	r := stretch{first: sequence, last: sequence}
	if i < len(s.list) && s.list[i].first <= sequence+1 {
		r.first, r.last = min(s.list[i].first, sequence), s.list[i].last
		i++
	}
	if n := len(own.list); n > 0 && own.list[n-1].last+1 == r.first {
		own.list[n-1].last = r.last
	} else {
		own.list = append(own.list, r)
	}
	own.list = append(own.list, s.list[i:]...)
	own.sum()
	return own
}

func (s *runsSet) contains(sequence uint64) bool     { return s.list.contains(sequence) }
func (s *runsSet) liveAfter(sequence uint64) uint64  { return s.list.liveAfter(sequence) }
func (s *runsSet) liveBefore(sequence uint64) uint64 { return s.list.liveBefore(sequence) }
func (s *runsSet) bytes() int                        { return 24 * (1 + len(s.list)) }

func (s *runsSet) within(from, to uint64) uint64 { return s.below(to+1) - s.below(from) }

func (s *runsSet) below(sequence uint64) uint64 {
	i := s.list.search(sequence)
	switch {
	case i < len(s.list):
		return s.list[i].before + max(sequence, s.list[i].first) - s.list[i].first
	case i == 0:
		return 0
	}
	return s.list[i-1].before + s.list[i-1].last - s.list[i-1].first + 1
}

// bitmapSet is one bitmap for the block, which every change copies.
type bitmapSet struct{ words []uint64 }

func newBitmapSet(sequences []uint64, span uint64) deletions {
	s := &bitmapSet{make([]uint64, span/64)}
	for _, at := range sequences {
		s.words[at/64] |= 1 << (at % 64)
	}
	return s
}

func (s *bitmapSet) with(sequence uint64) deletions {
	own := &bitmapSet{slices.Clone(s.words)}
	own.words[sequence/64] |= 1 << (sequence % 64)
	return own
}

func (s *bitmapSet) contains(at uint64) bool { return s.words[at/64]&(1<<(at%64)) != 0 }
func (s *bitmapSet) bytes() int              { return 24 + 8*len(s.words) }

func (s *bitmapSet) within(from, to uint64) (n uint64) {
	for i := from / 64; i <= to/64; i++ {
		n += uint64(bits.OnesCount64(s.words[i] & ones(max(from, 64*i)-64*i, min(to, 64*i+63)-64*i)))
	}
	return n
}

func (s *bitmapSet) liveAfter(at uint64) uint64 {
	for i := at / 64; i < uint64(len(s.words)); i++ {
		word := ^s.words[i]
		if i == at/64 {
			word &= ^uint64(0) << (at % 64)
		}
		if word != 0 {
			return 64*i + uint64(bits.TrailingZeros64(word))
		}
	}
	return 64 * uint64(len(s.words))
}

func (s *bitmapSet) liveBefore(at uint64) uint64 {
	for i := int(at / 64); i >= 0; i-- {
		word := ^s.words[i]
		if i == int(at/64) {
			word &= ones(0, at%64)
		}
		if word != 0 {
			return uint64(64*i + 63 - bits.LeadingZeros64(word))
		}
	}
	return 0
}

// deletedOf returns some of a block's sequences, in no order.
func deletedOf(span uint64, what string) (list []uint64) {
	random := rand.New(rand.NewPCG(1, span))
	switch what {
	case "1run":
		for at := span / 3; at < span/2; at++ {
			list = append(list, at)
		}
	case "1%", "50%":
		n := map[string]uint64{"1%": span / 100, "50%": span / 2}[what]
		for _, at := range random.Perm(int(span))[:n] {
			list = append(list, uint64(at))
		}
	}
	return list
}

// sink keeps the compiler from leaving out what is measured.
var sink uint64

func BenchmarkDeletedSet(b *testing.B) {
	for _, span := range []uint64{65_536, 8_192} {
		for _, what := range []string{"0", "1run", "1%", "50%"} {
			for _, row := range []struct {
				name string
				make func([]uint64, uint64) deletions
			}{{"hybrid", newHybrid}, {"runs", newRunsSet}, {"bitmap", newBitmapSet}} {
				set := row.make(deletedOf(span, what), span)
				b.Run(fmt.Sprintf("%d/%s/%s", span, what, row.name), func(b *testing.B) { benchmarkDeletions(b, set, span) })
			}
		}
	}
}

func benchmarkDeletions(b *testing.B, set deletions, span uint64) {
	places := make([]uint64, 1024)
	random := rand.New(rand.NewPCG(2, span))
	for i := range places {
		places[i] = random.Uint64N(span)
	}
	measure := func(name string, do func(a, b uint64) uint64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				sink += do(places[i%1024], places[(i+1)%1024])
			}
		})
	}
	measure("insert", func(at, _ uint64) uint64 {
		if set.contains(at) { // or there would be nothing to do
			at = set.liveAfter(at) % span
		}
		return uint64(set.with(at).bytes() & 1)
	})
	measure("contains", func(at, _ uint64) uint64 {
		if set.contains(at) {
			return 1
		}
		return 0
	})
	measure("within", func(x, y uint64) uint64 { return set.within(min(x, y), max(x, y)) })
	measure("after", func(at, _ uint64) uint64 { return set.liveAfter(at) })
	measure("before", func(at, _ uint64) uint64 { return set.liveBefore(at) })
	b.Run("memory", func(b *testing.B) {
		for range b.N {
		}
		b.ReportMetric(float64(set.bytes()), "bytes")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkDeletedSetAppend is a message behind a gap, shown to readers each time,
// as a mirror stores it.
func BenchmarkDeletedSetAppend(b *testing.B) {
	b.ReportAllocs()
	var s deletedSet
	for at := uint64(1); at < 2*uint64(b.N); at += 2 {
		if at%(1<<18) == 1 {
			s = deletedSet{}
		}
		s.add(at, at)
		s.snapshot()
	}
}
