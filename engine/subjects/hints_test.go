package subjects

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// alike returns n subjects whose hints are the same, with a seed, in ascending order.
func alike(seed uint64, n int) (names []string) {
	want := hint(0)
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprintf("s.%09d", i)
		h := New(seed).tree.hash(name)
		if len(names) == 0 {
			want = hintOf(h)
		}
		if hintOf(h) == want {
			names = append(names, name)
		}
	}
	return names
}

// TestSubjectsWithTheSameHintAreToldApart: Get finds each, and none of those that are not there; Guess finds one of
// them.
func TestSubjectsWithTheSameHintAreToldApart(t *testing.T) {
	const seed = 11
	names := alike(seed, 6)
	x := New(seed)
	for i, name := range names[:5] {
		x.Add(name, 1, uint64(i)+1, uint64(i)+1, true, 10)
	}
	x.Add("s.other", 1, 9, 9, true, 10)
	for i, name := range names[:5] {
		info, ok := x.Tree().Get(name)
		require.True(t, ok, name)
		require.Equal(t, uint64(i)+1, info.Last, name)
		guess, ok := x.Tree().Guess(name)
		require.True(t, ok, name)
		require.Equal(t, uint64(1), guess.Last, "it is the first of them that was there")
	}
	_, ok := x.Tree().Get(names[5])
	require.False(t, ok)
	_, ok = x.Tree().Guess(names[5])
	require.True(t, ok, "a guess may be of another subject")
	_, ok = x.Tree().Guess("s.none")
	require.False(t, ok)
	require.NoError(t, x.check())
}

// TestGuessOfNothing: neither an empty index has anything, nor a subject that has no messages but is staged.
func TestGuessOfNothing(t *testing.T) {
	x := New(3)
	_, ok := x.Tree().Guess("a")
	require.False(t, ok)
	id := x.Stage("a", 0)
	x.Stored(id, 1, 10)
	x.Published(0)
	require.Equal(t, id, x.Stage("a", 1))
	x.Removed(id, 1) // the staged message holds the subject
	_, ok = x.Tree().Guess("a")
	require.False(t, ok)
}

// TestTheSearchOfHints is held to a plain loop.
func TestTheSearchOfHints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.SampledFrom([]hint{0, 1, 0x100, 0x101, 0xff00, 0xffff})
		list := rapid.SliceOfN(few, 0, leafMax).Draw(t, "hints")
		want, from := few.Draw(t, "want"), rapid.IntRange(0, len(list)).Draw(t, "from")
		var h hints
		for i, each := range list {
			h.set(uint8(i), each)
			require.Equal(t, each, h.at(uint8(i)))
		}
		plain := from
		for plain < len(list) && list[plain] != want {
			plain++
		}
		require.Equal(t, plain, h.next(from, len(list), want))
	})
}

// TestGuessPassesBySubjectsWithoutMessages that have the hint of the one that is asked for.
func TestGuessPassesBySubjectsWithoutMessages(t *testing.T) {
	names := alike(7, 2)
	for _, gone := range []int{0, 1} {
		x := New(7)
		for i, name := range names {
			id := x.Stage(name, 0)
			x.Stored(id, uint64(i+1), 10)
		}
		x.Published(0)
		x.Removed(x.Stage(names[gone], 1), uint64(gone+1)) // the staged message holds the subject
		info, ok := x.Tree().Guess(names[1-gone])
		require.True(t, ok)
		require.EqualValues(t, 2-gone, info.Last)
	}
}
