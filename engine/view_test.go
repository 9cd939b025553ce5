package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestIndexOfASequence: whatever the blocks span, it is that of the last one that begins at the sequence or before.
func TestIndexOfASequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		next := rapid.Uint64Range(1, 1<<61).Draw(t, "first")
		firsts := []uint64{}
		v := &View{}
		for _, gap := range rapid.SliceOfN(rapid.Uint64Range(0, 1<<rapid.IntRange(1, 55).Draw(t, "gaps")), 0, 12).Draw(t, "gap") {
			firsts = append(firsts, next)
			v.blocks = append(v.blocks, newBlockView(uint32(len(firsts)), 1, next, nil))
			next += gap + 1
		}
		sequences := []uint64{0, 1, next, 1<<62 - 1, rapid.Uint64Range(0, next).Draw(t, "sequence")}
		for _, first := range firsts {
			sequences = append(sequences, first-1, first, first+1)
		}
		for _, sequence := range sequences {
			want := 0
			for i, first := range firsts {
				if first <= sequence {
					want = i
				}
			}
			require.Equal(t, want, v.Index(sequence), "%d of %v", sequence, firsts)
			b := v.Find(sequence)
			require.Equal(t, len(firsts) > 0 && firsts[want] <= sequence, b != nil, "%d of %v", sequence, firsts)
		}
	})
}
