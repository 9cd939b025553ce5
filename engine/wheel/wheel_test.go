package wheel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	second = int64(1e9)
	year   = 365 * 24 * 3600 * second
	start  = int64(1_700_000_000_000_000_000)
)

// drain removes what is due, and returns it in the order in which it was visited.
func drain(w *Wheel, now int64) (all []entry) {
	w.Expire(now, func(sequence uint64, due int64) bool {
		all = append(all, entry{due, sequence})
		return true
	})
	return all
}

func TestTheEmptyWheelHasNothingDue(t *testing.T) {
	var w Wheel
	_, ok := w.Next()
	require.False(t, ok)
	require.Empty(t, drain(&w, math.MaxInt64))
	require.False(t, w.Remove(1, start))
	require.Zero(t, w.RemoveAbove(0))
}

func TestNothingIsVisitedEarly(t *testing.T) {
	var w Wheel
	w.Add(1, start)
	require.Empty(t, drain(&w, start-1))
	require.Equal(t, []entry{{start, 1}}, drain(&w, start))
}

func TestWhatIsDueTogetherIsVisitedInOrderOfSequences(t *testing.T) {
	var w Wheel
	for _, sequence := range []uint64{9, 2, 1 << 61, 5} {
		w.Add(sequence, start)
	}
	w.Add(7, start-1)
	require.Equal(t, []entry{{start - 1, 7}, {start, 2}, {start, 5}, {start, 9}, {start, 1 << 61}}, drain(&w, start))
}

func TestASequenceWithTwoDueTimesIsTwoEntries(t *testing.T) {
	var w Wheel
	require.True(t, w.Add(1, start))
	require.True(t, w.Add(1, start+second))
	require.False(t, w.Add(1, start), "the same one")
	require.Equal(t, 2, w.Len())
	require.True(t, w.Remove(1, start+second))
	require.Equal(t, []entry{{start, 1}}, drain(&w, math.MaxInt64))
}

func TestWhatAVisitRefusesStaysAndSoDoesAllBehindIt(t *testing.T) {
	var w Wheel
	for i := range uint64(1000) {
		w.Add(i, start+int64(i))
	}
	var visited []uint64
	refuse := func(sequence uint64, _ int64) bool {
		visited = append(visited, sequence)
		return sequence < 300
	}
	w.Expire(start+500, refuse)
	require.Len(t, visited, 301)
	require.Equal(t, 700, w.Len())
	due, _ := w.Next()
	require.Equal(t, start+300, due)
	require.Len(t, drain(&w, start+500), 201)
}

func TestAVisitMustNotUseTheWheel(t *testing.T) {
	for name, use := range map[string]func(*Wheel){
		"add": func(w *Wheel) { w.Add(2, start) }, "remove": func(w *Wheel) { w.Remove(1, start) },
		"next": func(w *Wheel) { w.Next() }, "expire": func(w *Wheel) { drain(w, start) },
		"truncate": func(w *Wheel) { w.RemoveAbove(1) }, "clear": (*Wheel).Clear,
	} {
		var w Wheel
		w.Add(1, start)
		require.Panics(t, func() {
			w.Expire(start, func(uint64, int64) bool { use(&w); return true })
		}, name)
	}
}

// TestAClockThatJumpsByYears: nothing is lost, nothing is early, and no slot is walked
// over: the loop below would not end.
func TestAClockThatJumpsByYears(t *testing.T) {
	var w Wheel
	for i := range int64(1000) {
		w.Add(uint64(i), start+i*second)
		w.Add(uint64(10_000+i), start+10*year+i*second)
	}
	require.Len(t, drain(&w, start+5*year), 1000)
	for i := range int64(100_000) {
		require.Empty(t, drain(&w, start+10*year-1-i*(year/10_000)))
	}
	w.Add(1, start-20*year) // long past
	require.Equal(t, []entry{{start - 20*year, 1}}, drain(&w, start-10*year))
	require.Len(t, drain(&w, start+11*year), 1000)
	require.Zero(t, w.Len())
}

func TestTheEndsOfTime(t *testing.T) {
	var w Wheel
	w.Add(1, math.MaxInt64)
	w.Add(math.MaxUint64, math.MinInt64)
	w.Add(0, 0)
	require.Zero(t, w.RemoveAbove(math.MaxUint64))
	require.Equal(t, []entry{{math.MinInt64, math.MaxUint64}, {0, 0}}, drain(&w, math.MaxInt64-1))
	require.Equal(t, []entry{{math.MaxInt64, 1}}, drain(&w, math.MaxInt64))
}

func TestATruncateForgetsWhatIsAbove(t *testing.T) {
	var w Wheel
	for i := range uint64(2000) {
		w.Add(i, start+int64(i%7)*second)
	}
	require.Equal(t, 1500, w.RemoveAbove(499))
	w.Add(500, start+3*second) // the sequence is used again
	require.Equal(t, 501, w.Len())
	require.Len(t, drain(&w, math.MaxInt64), 501)
}
