package blockio

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mended returns the bytes of a block as recovery leaves them after a scan of it as the tail. zerosGo is whether the zeros
// behind what is kept go, as they do in an encrypted block.
func (b *sweepBlock) mended(data []byte, scan BlockScan, zerosGo bool) []byte {
	left := bytes.Clone(data)
	if zerosGo || scan.Torn {
		left = left[:scan.End]
	}
	if scan.Settle {
		mark := make([]byte, EmptyRecordSize)
		b.key.PutFrameMark(mark, 0, scan.MarkCRC)
		left = append(left, mark...)
	}
	return left
}

// requireSettled: a block that was scanned as the tail, and mended, reads as it did, whether it is the tail of the next
// recovery or not.
func (b *sweepBlock) requireSettled(t *testing.T, data []byte, note string) {
	t.Helper()
	first, kept := b.visits(data, true)
	for _, zerosGo := range []bool{false, true} {
		left := b.mended(data, first, zerosGo)
		for _, tail := range []bool{true, false} {
			again, got := b.visits(left, tail)
			same := slices.EqualFunc(kept, got, func(x, y testRecord) bool {
				return x.offset == y.offset && x.Sequence == y.Sequence && x.Kind == y.Kind
			})
			if !same || again.Torn || again.DamageCount != first.DamageCount || again.LostBytes != first.LostBytes ||
				tail && !slices.Equal(again.Lost, first.Lost) && !first.Settle {
				require.FailNow(t, "not settled", "%s, tail %v, zeros go %v\nfirst %d records, %+v\nagain %d records, %+v",
					note, tail, zerosGo, len(kept), first, len(got), again)
			}
		}
	}
}

// randomFrames returns a block of some frames, of any number and kind of records.
func randomFrames(random *rand.Rand, m marking, seed int64) *sweepBlock {
	b := newSweepBlock(m, seed)
	for range 3 + random.Intn(8) {
		var parts []part
		for range 1 + random.Intn(4) {
			switch random.Intn(8) {
			case 0:
				parts = append(parts, titled(random.Intn(300)))
			case 1:
				parts = append(parts, skip(uint64(1+random.Intn(3))))
			case 2:
				parts = append(parts, tomb(b.last+1))
			default:
				parts = append(parts, text(random.Intn(600)))
			}
		}
		b.add(parts...)
	}
	return b
}

// TestWhatAScanLeavesIsReadAlike: sectors are lost of several frames that were not synced, as a power loss leaves a store that
// syncs later than it writes.
func TestWhatAScanLeavesIsReadAlike(t *testing.T) {
	seeds := []int64{10834, 19006, 50254, 80554, 110566} // what is cut behind damage has shown where that ends
	for seed := range int64(800) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		random := rand.New(rand.NewSource(seed))
		m := marking(random.Intn(3))
		b := randomFrames(random, m, seed)
		data := bytes.Clone(b.data)
		from := random.Intn(len(data))
		for s := from - from%sectorSize; s < len(data); s += sectorSize {
			if random.Intn(3) == 0 {
				clear(data[max(s, from):min(len(data), s+sectorSize)])
			}
		}
		data = append(data, make([]byte, random.Intn(2)*random.Intn(2000))...)
		if random.Intn(3) == 0 {
			data = data[:from+random.Intn(len(data)-from)]
		}
		b.requireSettled(t, data, fmt.Sprintf("seed %d, %v", seed, m))
	}
}
