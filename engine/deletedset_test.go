package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// naiveSet is what a deletedSet has to agree with: ascending ranges that do not
// touch.
type naiveSet []SequenceRange

func (n *naiveSet) add(first, last uint64) {
	var out naiveSet
	for _, r := range *n {
		if r.Last+1 < first || last+1 < r.First {
			out = append(out, r)
			continue
		}
		first, last = min(first, r.First), max(last, r.Last)
	}
	out = append(out, SequenceRange{first, last})
	slices.SortFunc(out, func(a, b SequenceRange) int { return int(int64(a.First) - int64(b.First)) })
	*n = out
}

func (n naiveSet) contains(sequence uint64) bool {
	return slices.ContainsFunc(n, func(r SequenceRange) bool { return r.First <= sequence && sequence <= r.Last })
}

func (n naiveSet) clip(from, to uint64) (out []SequenceRange) {
	for _, r := range n {
		if r.First, r.Last = max(r.First, from), min(r.Last, to); r.First <= r.Last {
			out = append(out, r)
		}
	}
	return out
}

func (n naiveSet) within(from, to uint64) (count uint64) {
	for _, r := range n.clip(from, to) {
		count += r.Last - r.First + 1
	}
	return count
}

func (n naiveSet) liveAfter(sequence uint64) uint64 {
	for _, r := range n {
		if r.First <= sequence && sequence <= r.Last {
			return r.Last + 1
		}
	}
	return sequence
}

func (n naiveSet) liveBefore(sequence uint64) uint64 {
	for _, r := range n {
		if r.First <= sequence && sequence <= r.Last {
			return r.First - 1
		}
	}
	return sequence
}

// drawSequence prefers what is near the ends of windows and of ranges.
func drawSequence(t *rapid.T, n naiveSet) uint64 {
	near := func(s uint64) uint64 {
		return max(1, s+uint64(rapid.IntRange(0, 4).Draw(t, "near"))-min(s, 2))
	}
	switch k := rapid.IntRange(0, 9).Draw(t, "where"); {
	case k < 4:
		return rapid.Uint64Range(1, 5*windowSize).Draw(t, "sequence")
	case k < 6:
		return near(windowSize * rapid.Uint64Range(0, 5).Draw(t, "window"))
	case k < 7:
		return rapid.Uint64Range(1, 1<<50).Draw(t, "far")
	case len(n) > 0:
		r := n[rapid.IntRange(0, len(n)-1).Draw(t, "range")]
		return near(rapid.SampledFrom([]uint64{r.First, r.Last}).Draw(t, "end"))
	}
	return 1
}

// sameDeleted compares a snapshot with what it has to hold.
func sameDeleted(t *rapid.T, want naiveSet, got *deletedSnapshot) {
	var ranges []SequenceRange
	got.stretches().each(0, 1<<62, func(first, last uint64) { ranges = append(ranges, SequenceRange{first, last}) })
	require.Equal(t, []SequenceRange(want), ranges)
	for range 5 {
		a, b := drawSequence(t, want), drawSequence(t, want)
		where := fmt.Sprintf("%d, %d of %v", a, b, want)
		require.Equal(t, want.contains(a), got.stretches().contains(a), where)
		require.Equal(t, want.liveAfter(a), got.stretches().liveAfter(a), where)
		require.Equal(t, want.liveBefore(a), got.stretches().liveBefore(a), where)
		require.Equal(t, want.within(a, b), got.within(a, b), where)
		var clipped []SequenceRange
		got.stretches().each(a, b, func(first, last uint64) { clipped = append(clipped, SequenceRange{first, last}) })
		require.Equal(t, want.clip(a, b), clipped, where)
	}
}

func TestDeletedSetModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s deletedSet
		var want naiveSet
		type seen struct {
			want naiveSet
			got  *deletedSnapshot
		}
		var snapshots []seen
		end := uint64(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch k := rapid.IntRange(0, 19).Draw(t, "step"); {
			case k < 8: // somewhere
				first := drawSequence(t, want)
				last := first
				if k < 4 {
					last += rapid.SampledFrom([]uint64{1, 2, 63, 64, 65, windowSize - 1, windowSize, 3*windowSize + 1}).Draw(t, "length")
				}
				s.add(first, last)
				want.add(first, last)
			case k < 12: // as messages that are stored do
				if n := len(want); n > 0 {
					end = want[n-1].Last + 1
				}
				for range rapid.IntRange(1, 30).Draw(t, "appended") {
					end += rapid.Uint64Range(0, 200).Draw(t, "messages")
					last := end + rapid.Uint64Range(0, 3).Draw(t, "skipped")
					s.add(end, last)
					want.add(end, last)
					end = last + 1
				}
			case k < 15: // many that are near each other
				at := drawSequence(t, want)
				for range rapid.IntRange(1, 40).Draw(t, "scattered") {
					at = max(1, at+rapid.Uint64Range(0, 30).Draw(t, "on")-min(at, 5))
					s.add(at, at)
					want.add(at, at)
				}
			default:
				if got := s.snapshot(); got != nil {
					snapshots = append(snapshots, seen{slices.Clone(want), got})
				} else if n := len(snapshots); n > 0 {
					require.Equal(t, snapshots[n-1].want, want, "a change without a snapshot")
				} else {
					require.Empty(t, want)
				}
			}
			require.NoError(t, s.check(1<<62))
		}
		if got := s.snapshot(); got != nil {
			snapshots = append(snapshots, seen{want, got})
		}
		for _, s := range snapshots {
			sameDeleted(t, s.want, s.got)
		}
	})
}

func TestDeletedWindowsBecomeRunsAgain(t *testing.T) {
	var s deletedSet
	for i := range uint64(windowSize) {
		at := windowSize + i*2049%windowSize // odd, so each place once
		s.add(at, at)
	}
	require.Len(t, s.list, 1)
	require.Nil(t, s.list[0].bits)
	require.NoError(t, s.check(2*windowSize))
}

// A range of any length costs one stretch; scattered deletions cost at most a
// bitmap a window.
func TestDeletedSetIsSmall(t *testing.T) {
	var s deletedSet
	s.add(1, 1<<61)
	require.Len(t, s.list, 1)

	s = deletedSet{}
	for at := uint64(1); at < 16*windowSize; at += 3 { // as messages that are stored do
		s.add(at, at)
	}
	require.Less(t, len(s.list), 16+windowSize/2)
	s.add(17*windowSize, 17*windowSize)
	require.Len(t, s.list, 17)

	s = deletedSet{}
	for i := range uint64(16 * windowSize) { // in no order
		at := i * 4097 % (16 * windowSize)
		if at%3 == 1 {
			s.add(at, at)
		}
		s.snapshot()
	}
	require.LessOrEqual(t, len(s.list), 16)
}

// What storing messages adds to the end copies nothing that is there already.
func TestAppendingToADeletedSetCopiesNothing(t *testing.T) {
	var s deletedSet
	var first *stretch
	copies := 0
	for at := uint64(1); at < 100*windowSize; at += 1000 {
		s.add(at, at+500)
		d := s.snapshot()
		if now := &d.list[0]; now != first {
			first = now
			copies++
		}
	}
	require.LessOrEqual(t, copies, 12, "of %d stretches", len(s.list))
}
