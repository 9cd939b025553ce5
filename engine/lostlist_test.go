package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestLostListIsASetOfSequences, ascending and disjoint, in which every sequence keeps the block that it was
// lost from first. Lists that were shown do not change.
func TestLostListIsASetOfSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list, before lostList
		bytes := uint64(0)
		model, then := map[uint64]uint32{}, map[uint64]uint32{}
		for range rapid.IntRange(1, 15).Draw(t, "ranges") {
			before, then = list, map[uint64]uint32{}
			for sequence, block := range model {
				then[sequence] = block
			}
			first := rapid.Uint64Range(1, 60).Draw(t, "first")
			r := LostRange{SequenceRange{first, first + rapid.Uint64Range(0, 12).Draw(t, "more")}, rapid.Uint32Range(1, 3).Draw(t, "block"), rapid.Uint64Range(0, 9).Draw(t, "bytes")}
			list = list.with(r)
			known := len(model)
			for sequence := r.First; sequence <= r.Last; sequence++ {
				if _, ok := model[sequence]; !ok {
					model[sequence] = r.Block
				}
			}
			if len(model) > known {
				bytes += r.Bytes
			}
			var sum uint64
			for _, r := range list {
				sum += r.Bytes
			}
			if sum != bytes {
				t.Fatalf("%d bytes, want %d", sum, bytes)
			}
		}
		check := func(list lostList, model map[uint64]uint32) {
			view := NewPublished()
			view.lost.Store(&list)
			for sequence := uint64(0); sequence < 80; sequence++ {
				r, ok := view.Lost(sequence)
				block, want := model[sequence]
				require.Equal(t, want, ok, "sequence %d", sequence)
				require.Equal(t, block, r.Block)
			}
			for i := 1; i < len(list); i++ {
				require.Less(t, list[i-1].Last, list[i].First)
				require.False(t, list[i-1].Block == list[i].Block && list[i-1].Last+1 == list[i].First, "two that are one")
			}
			n := 0
			for _, r := range view.LostWithin(20, 40) {
				require.GreaterOrEqual(t, r.First, uint64(20))
				require.LessOrEqual(t, r.Last, uint64(40))
				n += int(r.Last - r.First + 1)
			}
			for sequence := uint64(20); sequence <= 40; sequence++ {
				if _, ok := model[sequence]; ok {
					n--
				}
			}
			require.Zero(t, n)
		}
		check(list, model)
		check(before, then)
	})
}
