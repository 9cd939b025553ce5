package blockio

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutSlowly is what CutEnd and Cut make of a block.
func cutSlowly(t *testing.T, b *sweepBlock, data []byte, last uint64) CutBlock {
	t.Helper()
	out, err := Cut("9.blk", 9, b.key, data, CutEnd("9.blk", 9, b.key, data, last, nil), last)
	require.NoError(t, err)
	return out
}

// TestAPlainCutIsWhatACutIs: behind every record of a block in which all is plain, with zeros ahead and without.
func TestAPlainCutIsWhatACutIs(t *testing.T) {
	b := newSweepBlock(measuring, 1).add(text(40), titled(30), text(0)).add(tomb(2)).add(skip(3)).add(text(700), titled(0), text(9))
	b.add(text(1), text(2))
	for _, ahead := range []int{0, 4096} {
		data := append(bytes.Clone(b.data), make([]byte, ahead)...)
		before := bytes.Clone(data)
		for last := uint64(1); last < b.last; last++ {
			left, ok := CutPlain(b.key, data, last)
			require.Equal(t, last >= 3, ok, "the tombstone is needed until it stays: %d", last)
			if ok {
				require.Equal(t, CutBlock{Data: left}, cutSlowly(t, b, data, last), "%d", last)
				_, scan := keptOf(b.key, left, true)
				require.Equal(t, BlockScan{End: int64(len(left)), MarkCRC: scan.MarkCRC}, scan)
			}
		}
		require.Equal(t, before, data, "it is only read")
	}
}

// TestWhatNoPlainCutIs: whatever needs a closer look.
func TestWhatNoPlainCutIs(t *testing.T) {
	floor := func(first uint64) part {
		return func(b *sweepBlock, frame []byte) []byte { return b.key.AppendFloor(frame, first) }
	}
	back := func(b *sweepBlock, frame []byte) []byte {
		b.last -= 2
		return b.message(frame, nil, b.noise(3))
	}
	build := func(m marking, parts ...part) *sweepBlock { return newSweepBlock(m, 1).add(parts[0]).add(parts[1:]...) }
	for name, row := range map[string]struct {
		block *sweepBlock
		last  uint64
	}{
		"nothing to cut":                 {build(measuring, text(9), text(9)), 2},
		"nothing left":                   {build(measuring, text(9), text(9)), 0},
		"no marks":                       {build(unmarked, text(9), text(9)), 1},
		"marks of the first kind":        {build(counting, text(9), text(9), text(9)), 1},
		"a removal behind the cut":       {build(measuring, text(9), text(9), tomb(1)), 1},
		"a removal of what is above":     {build(measuring, text(9), tomb(7), text(9)), 1},
		"a floor":                        {build(measuring, text(9), floor(1), text(9)), 1},
		"a floor behind the cut":         {build(measuring, text(9), text(9), floor(1)), 1},
		"a sequence that goes back":      {build(measuring, text(9), text(9), text(9), back), 2},
		"one that goes back behind that": {build(measuring, text(9), text(9), text(9), back, text(9)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := CutPlain(row.block.key, row.block.data, row.last)
			require.False(t, ok)
		})
	}
}

// TestAPlainCutBlessesNoDamage: wherever a bit flips, what a plain cut leaves shows the damage that the cut block showed, or is
// what a cut leaves of it.
func TestAPlainCutBlessesNoDamage(t *testing.T) {
	b := newSweepBlock(measuring, 8).add(text(40)).add(text(30), titled(20), titled(10), text(9)).add(text(10), tomb(3), text(20)).add(text(5), text(6))
	for last := uint64(1); last < b.last; last++ {
		for at := range b.data {
			for bit := range 8 {
				data := bytes.Clone(b.data)
				data[at] ^= 1 << bit
				where := fmt.Sprintf("byte %d, bit %d, cut behind %d", at, bit, last)
				left, ok := CutPlain(b.key, data, last)
				if !ok {
					continue
				}
				if _, scan := keptOf(b.key, left, true); scan.DamageCount > 0 || scan.Torn {
					continue
				}
				require.Equal(t, CutBlock{Data: left}, cutSlowly(t, b, data, last), where)
			}
		}
	}
}

// TestAPlainCutOfAnything: it does not go beyond the bytes.
func TestAPlainCutOfAnything(t *testing.T) {
	b := newSweepBlock(measuring, 3).add(text(4), text(4)).add(text(4))
	for n := range b.data {
		if left, ok := CutPlain(b.key, b.data[:n], 1); ok {
			require.Less(t, len(left), n)
		}
	}
}
