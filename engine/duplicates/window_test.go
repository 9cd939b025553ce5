package duplicates

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	start  = int64(1_700_000_000e9)
	second = int64(time.Second)
	year   = 365 * 24 * 3600 * second
)

func minute(entries int) *Window { return New(Limits{entries, time.Minute}, 1, start) }

// knows returns the ids that are remembered.
func knows(w *Window, ids ...string) (known []string) {
	for _, id := range ids {
		if _, ok := w.Look(id); ok {
			known = append(known, id)
		}
	}
	return known
}

func TestTheSecondStoreFindsTheSequenceOfTheFirst(t *testing.T) {
	w := minute(10)
	require.True(t, w.Add("a", 5, start))
	require.False(t, w.Add("a", 6, start))
	sequence, ok := w.Look("a")
	require.True(t, ok)
	require.Equal(t, uint64(5), sequence)
	require.Equal(t, 1, w.Len())
}

func TestTheOldestGoesFirst(t *testing.T) {
	w := minute(2)
	for i, id := range []string{"a", "b", "c"} {
		w.Add(id, uint64(i+1), start)
	}
	require.Equal(t, []string{"b", "c"}, knows(w, "a", "b", "c"))
}

func TestAnIDIsForgottenAtTheEndOfTheWindow(t *testing.T) {
	w := minute(10)
	w.Add("a", 1, start)
	w.Advance(start + 60*second - 1)
	require.Equal(t, []string{"a"}, knows(w, "a"))
	w.Advance(start + 60*second)
	require.Empty(t, knows(w, "a"))
	require.Zero(t, w.Len())
	require.True(t, w.Add("a", 2, start+60*second))
}

// TestAnIDBehindAYoungerOneIsForgottenInTime: as recovery adds them, in order of sequences.
func TestAnIDBehindAYoungerOneIsForgottenInTime(t *testing.T) {
	w := minute(10)
	w.Add("young", 1, start)
	w.Add("old", 2, start-50*second)
	w.Advance(start + 10*second)
	require.Equal(t, []string{"young"}, knows(w, "young", "old"))
	require.True(t, w.Add("old", 3, start+10*second), "it may come again")
	w.Advance(start + 69*second)
	require.Equal(t, []string{"old"}, knows(w, "young", "old"))
	require.False(t, w.Add("too old", 4, start+9*second))
}

func TestAClockThatGoesBackForgetsNothingAndKeepsNothingLonger(t *testing.T) {
	w := minute(10)
	w.Add("a", 1, start)
	w.Advance(start + 30*second)
	w.Advance(start - 10*year)
	w.Add("b", 2, start) // its time is ahead of the clock now
	require.Equal(t, []string{"a", "b"}, knows(w, "a", "b"))
	w.Advance(start - 10*year + 30*second)
	require.Equal(t, []string{"b"}, knows(w, "a", "b"))
	w.Advance(start - 10*year + 60*second)
	require.Zero(t, w.Len())
}

func TestAClockThatJumpsAheadForgetsAll(t *testing.T) {
	w := minute(1000)
	for i := range uint64(1000) {
		w.Add(fmt.Sprint(i), i+1, start)
	}
	w.Advance(start + 10*year)
	require.Zero(t, w.Len())
	w.Add("a", 1001, start+10*year)
	w.Advance(math.MinInt64)
	w.Advance(math.MaxInt64)
	require.Zero(t, w.Len())
}

func TestATruncateForgetsWhatIsAbove(t *testing.T) {
	w := minute(10)
	for i, id := range []string{"a", "b", "c"} {
		w.Add(id, uint64(i+1), start)
	}
	w.Truncate(2)
	require.Equal(t, []string{"a", "b"}, knows(w, "a", "b", "c"))
	w.Add("d", 2, start) // the sequence is used again without a truncate
	require.Equal(t, []string{"a", "d"}, knows(w, "a", "b", "c", "d"))
	w.Truncate(math.MaxUint64)
	require.Equal(t, 2, w.Len())
}

func TestIDsThatCannotBeRemembered(t *testing.T) {
	w := minute(10)
	require.False(t, w.Add("", 1, start))
	require.False(t, w.Add(strings.Repeat("x", MaxID+1), 1, start))
	require.True(t, w.Add(strings.Repeat("x", MaxID), 1, start))
	require.Equal(t, 1, w.Len())
}

func TestAWindowWithoutLimitsIsOff(t *testing.T) {
	for _, limits := range []Limits{{}, {10, 0}, {0, time.Minute}, {-1, -1}} {
		w := New(limits, 1, start)
		require.False(t, w.Add("a", 1, start))
		w.Advance(start + 1)
		require.Empty(t, knows(w, "a"))
	}
}

// TestIDsWhoseHashesCollideAreNotTakenForEachOther: a lost message would be the price.
func TestIDsWhoseHashesCollideAreNotTakenForEachOther(t *testing.T) {
	w := minute(1000)
	for i := range uint64(100) {
		position := w.ring.push(entry{sequence: i + 1, hash: 7}, fmt.Sprint("id", i))
		w.table.add(7, position)
	}
	for i := range 100 {
		at := w.find(7, fmt.Sprint("id", i))
		require.GreaterOrEqual(t, at, 0)
		require.Equal(t, uint64(i+1), w.ring.entry(w.table.places[at].position()).sequence)
	}
	require.Negative(t, w.find(7, "id100"))
	for range 50 {
		w.forgetOldest()
		w.check(t)
	}
	require.Negative(t, w.find(7, "id49"))
	require.GreaterOrEqual(t, w.find(7, "id50"), 0)
}

// memory returns how many bytes a window holds on to.
func (w *Window) memory() int {
	n := 8*cap(w.ring.chunks) + 8*cap(w.table.places)
	for _, c := range w.ring.chunks {
		n += chunkEntries*24 + cap(c.ids)
	}
	return n
}

// TestMemoryIsThatOfTheEntries: however many have come and gone.
func TestMemoryIsThatOfTheEntries(t *testing.T) {
	const entries = 3000
	w := minute(entries)
	id := func(i uint64) string { return fmt.Sprintf("%022d", i) }
	for i := range uint64(20 * entries) {
		w.Add(id(i), i+1, start)
		if i >= entries && i%100 == 0 {
			require.Less(t, w.memory(), entries*(24+22+22)+3*chunkEntries*(24+44))
		}
	}
	w.Truncate(20*entries - entries + 40)
	require.Equal(t, 40, w.Len())
	require.Less(t, w.memory(), 2*chunkEntries*(24+44))
	w.Advance(start + 60*second)
	require.Zero(t, w.memory())
}
