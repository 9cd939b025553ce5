package blockio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
)

// sweepBlocks are small blocks of every kind of content.
func sweepBlocks(m marking) map[string]*sweepBlock {
	return map[string]*sweepBlock{
		"small": newSweepBlock(m, 1).add(text(34)).add(text(34), titled(34), text(34)).add(text(30)).add(titled(10), text(0)),
		"skips and tombstones": newSweepBlock(m, 2).add(text(40)).add(skip(5)).add(tomb(1), text(50), tomb(2)).
			add(text(9), skip(1), text(9)).add(tomb(3)).add(text(64)),
		"long":    newSweepBlock(m, 3).add(text(1000)).add(titled(1500), text(64), text(900)).add(text(1200)),
		"one":     newSweepBlock(m, 4).add(text(64)),
		"forged":  newSweepBlock(m, 5).add(text(40)).add(forging(2, 0, 50, 60)).add(text(50), forging(3, 7, 0, 0), text(40)).add(text(40)),
		"at ends": newSweepBlock(m, 6).add(forging(2, 0, 33, 0)).add(text(10)).add(text(10), forging(2, 0, 0, 31)),
	}
}

// eachSweepBlock runs a test for every block of every marking.
func eachSweepBlock(t *testing.T, test func(t *testing.T, b *sweepBlock)) {
	for _, m := range []marking{unmarked, counting, measuring} {
		for name, b := range sweepBlocks(m) {
			t.Run(m.String()+"/"+name, func(t *testing.T) { test(t, b) })
		}
	}
}

// TestSweepOfBits: any flipped bit costs the record that it is in, which is named, or
// nothing. With marks of the second kind there is no flip that is not told.
func TestSweepOfBits(t *testing.T) {
	eachSweepBlock(t, func(t *testing.T, b *sweepBlock) {
		data := bytes.Clone(b.data)
		for at := 0; at < len(data); at += stride(17) {
			for _, bit := range bitsOf(at) {
				data[at] ^= 1 << bit
				b.check(t, damageCheck{from: at, to: at + 1, data: data, told: b.marking == measuring, window: b.marking != measuring},
					"byte %d bit %d", at, bit)
				data[at] ^= 1 << bit
			}
		}
	})
}

// TestSweepOfZeroes: any stretch of zeros costs what it covers.
func TestSweepOfZeroes(t *testing.T) {
	eachSweepBlock(t, func(t *testing.T, b *sweepBlock) {
		for _, size := range []int{1, 3, 64, sectorSize, 4096} {
			for from := 0; from < len(b.data); from += stride(7) {
				if size > 64 && from%16 != 0 {
					continue
				}
				data := bytes.Clone(b.data)
				to := min(from+size, len(data))
				clear(data[from:to])
				if bytes.Equal(data, b.data) {
					continue
				}
				b.check(t, damageCheck{from: from, to: to, data: data, tearable: true, window: b.marking != measuring},
					"zeros %d..%d", from, to)
			}
		}
	})
}

// TestSweepOfLengths: a block cut at any length keeps all frames before the cut.
func TestSweepOfLengths(t *testing.T) {
	eachSweepBlock(t, func(t *testing.T, b *sweepBlock) {
		for n := range b.data {
			for _, tail := range []bool{false, true} {
				scan, got := b.visits(b.data[:n], tail)
				at := 0
				for _, s := range b.spans {
					whole := s.to <= n && (!scan.Torn || int64(s.from) < scan.CutFrom)
					if s.Kind == KindGroupMark || !whole {
						continue
					}
					if at >= len(got) || got[at].offset != s.from {
						t.Fatalf("length %d, tail %v: %d is missing: %+v", n, tail, s.Sequence, scan)
					}
					at++
				}
				if at != len(got) || tail && scan.DamageCount > 0 {
					t.Fatalf("length %d, tail %v: %d of %d: %+v", n, tail, at, len(got), scan)
				}
			}
		}
	})
}

// TestSweepOfForgeries: payloads full of valid records of their own block, whatever their
// number. No flip and no zeros around them bring one to life, or cost more than they touch.
func TestSweepOfForgeries(t *testing.T) {
	counts := []int{1, 64, 65, 100, 1000}
	if testing.Short() {
		counts = []int{1, 65}
	}
	for _, m := range []marking{unmarked, counting, measuring} {
		for _, n := range counts {
			for _, ahead := range []uint64{0, 1, 5000} {
				for _, noise := range []int{0, 100} {
					t.Run(fmt.Sprintf("%v/%d/ahead=%d/noise=%d", m, n, ahead, noise), func(t *testing.T) {
						b := newSweepBlock(m, int64(n))
						b.add(text(70)).add(forging(n, ahead, noise, noise)).add(text(20)).
							add(text(30), forging(n, ahead, 0, noise), text(20)).add(forging(n, ahead, noise, 0))
						b.sweepHeads(t)
					})
				}
			}
		}
	}
}

// sweepHeads damages the heads of all records, and some of the rest.
func (b *sweepBlock) sweepHeads(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	flip := func(at, bit int) {
		data := bytes.Clone(b.data)
		data[at] ^= 1 << bit
		b.check(t, damageCheck{from: at, to: at + 1, data: data, told: b.marking == measuring, window: b.marking != measuring},
			"byte %d bit %d", at, bit)
	}
	zero := func(from, size int) {
		data := bytes.Clone(b.data)
		from = max(from, 0)
		to := min(from+size, len(data))
		clear(data[from:to])
		b.check(t, damageCheck{from: from, to: to, data: data, tearable: true, window: b.marking != measuring}, "zeros %d..%d", from, to)
	}
	for i := 0; i < len(b.spans); i += stride(7) {
		s := b.spans[i]
		for at := s.from; at < s.from+headSize; at++ {
			for _, bit := range bitsOf(at) {
				flip(at, bit)
			}
		}
		for range 20 {
			flip(s.from+random.Intn(s.Size), random.Intn(8))
		}
		for _, size := range []int{2, 4, 64, sectorSize, 4096} {
			for _, before := range []int{size, size - 1, size - 2, size / 2, 3, 0} {
				zero(s.from-before, size)
			}
			zero(s.from+random.Intn(s.Size), size)
		}
	}
}

// TestSweepOfALargeBlock: as many records as a block can hold of the same small size, so
// that every wrong length of theirs points to a record.
func TestSweepOfALargeBlock(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for _, m := range []marking{unmarked, counting, measuring} {
		t.Run(m.String(), func(t *testing.T) {
			b := newSweepBlock(m, 7)
			b.last = 20_000 // sequences of five digits make all records as long
			for range 20_000 / 4 {
				b.add(text(25)).add(text(25), text(25), text(25))
			}
			random := rand.New(rand.NewSource(8))
			for range rounds {
				s := b.spans[random.Intn(len(b.spans))]
				for bit := 6; bit < 22; bit += stride(5) {
					data := bytes.Clone(b.data)
					length := binary.LittleEndian.Uint32(data[s.from:])
					binary.LittleEndian.PutUint32(data[s.from:], length^1<<bit)
					b.check(t, damageCheck{from: s.from, to: s.from + 4, data: data, told: true}, "record at %d bit %d", s.from, bit)
				}
				for _, size := range []int{64, sectorSize, 4096} {
					data := bytes.Clone(b.data)
					from := random.Intn(len(data)-size) &^ 63
					clear(data[from : from+size])
					b.check(t, damageCheck{from: from, to: from + size, data: data, tearable: true}, "zeros %d..%d", from, from+size)
				}
			}
		})
	}
}
