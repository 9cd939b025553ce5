package blockio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhereATruncationCutsABlock: behind the last record of sequences up to the last one that is left, and of nothing
// above it, whatever kind of record that is, and where one is damaged.
func TestWhereATruncationCutsABlock(t *testing.T) {
	build := func(parts ...part) *sweepBlock {
		b := newSweepBlock(measuring, 1)
		b.last = 12
		for _, p := range parts {
			b.add(p)
		}
		return b
	}
	for name, row := range map[string]struct {
		block  *sweepBlock
		last   uint64
		keep   int // records, without marks
		damage int // the record that is damaged, counted from 1, 0 for none
	}{
		"all of it":                     {build(tomb(4), text(20), text(20)), 14, 3, 0},
		"a message":                     {build(tomb(4), text(20), text(20)), 13, 2, 0},
		"a removal before all others":   {build(tomb(4), tomb(9), text(20)), 6, 1, 0},
		"everything":                    {build(tomb(9), tomb(4), text(20)), 6, 0, 0},
		"a skip":                        {build(text(20), skip(3), text(20)), 14, 1, 0},
		"a damaged one above":           {build(text(20), text(20), text(20)), 13, 1, 2},
		"a damaged one that is left":    {build(text(20), text(20), text(20)), 14, 2, 1},
		"what is above behind a damage": {build(text(20), text(20), tomb(4), text(20)), 13, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := row.block
			var ends []int64
			for _, s := range b.spans {
				if s.Kind != KindGroupMark {
					ends = append(ends, int64(s.to))
				}
			}
			if row.damage > 0 {
				b.data[ends[row.damage-1]-1] ^= 0xff
			}
			want := int64(0)
			if row.keep > 0 {
				want = ends[row.keep-1]
			}
			seen := 0
			require.Equal(t, want, CutEnd("9.blk", 9, b.key, b.data, row.last, func(Record) { seen++ }))
			require.NotZero(t, seen)
			require.Equal(t, want, CutEnd("9.blk", 9, b.key, b.data, row.last, nil))
		})
	}
}
