package engine_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// ranges is a set of sequences, as ranges that ascend.
type ranges []engine.SequenceRange

func (s ranges) Contains(sequence uint64) bool {
	for _, r := range s {
		if r.First <= sequence && sequence <= r.Last {
			return true
		}
	}
	return false
}

func (s ranges) Ranges() iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) {
		for _, r := range s {
			if !yield(r.First, r.Last) {
				return
			}
		}
	}
}

// drawRanges draws ranges of sequences.
func drawRanges(t *rapid.T, from uint64) (set ranges) {
	for range rapid.IntRange(0, 4).Draw(t, "ranges") {
		first := from + rapid.Uint64Range(0, 3).Draw(t, "gap")
		last := first + rapid.Uint64Range(0, 2).Draw(t, "length")
		set = append(set, engine.SequenceRange{First: first, Last: last})
		from = last + 2
	}
	return set
}

// TestLacksIsWhatIsLiveAndHasNoRecord, sequence by sequence.
func TestLacksIsWhatIsLiveAndHasNoRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := engine.NewRecovery(testConfig(), engine.NewPublished())
		s := engine.NewScan(3)
		has := drawRanges(t, 5)
		for first, last := range has.Ranges() {
			for sequence := first; sequence <= last; sequence++ {
				s.Message(sequence, start, 0, 100, []byte("a"))
			}
		}
		s.Finish(5000, false, nil, 0)
		r.Add(s)
		k := engine.Kept{Block: rapid.Uint32Range(3, 4).Draw(t, "block"), First: rapid.Uint64Range(1, 12).Draw(t, "first"), Deleted: drawRanges(t, 2)}
		k.Last = k.First + rapid.Uint64Range(0, 20).Draw(t, "more") - 1
		var want, got []uint64
		for sequence := k.First; sequence <= k.Last; sequence++ {
			if !k.Deleted.Contains(sequence) && !(k.Block == 3 && has.Contains(sequence)) {
				want = append(want, sequence)
			}
		}
		for _, l := range r.Lacks(k) {
			for sequence := l.First; sequence <= l.Last; sequence++ {
				got = append(got, sequence)
			}
		}
		require.Equal(t, want, got)
	})
}
