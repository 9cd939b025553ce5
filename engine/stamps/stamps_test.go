package stamps

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	start  = int64(1_700_000_000e9)
	second = int64(time.Second)
	day    = 24 * 3600 * second
	year   = 365 * day
)

func TestTheTimeOfANewMessage(t *testing.T) {
	for name, row := range map[string]struct{ last, now, want int64 }{
		"the first":                         {None, start, start},
		"the clock went on":                 {start, start + 1, start + 1},
		"the clock went back a little":      {start, start - 3600*second, start},
		"as far back as it may":             {start, start - MaxAhead, start},
		"further":                           {start, start - MaxAhead - 1, start - MaxAhead - 1},
		"the clock was ten years ahead":     {start + 10*year, start, start},
		"the last message is at the end":    {math.MaxInt64, start, start},
		"the clock is at the end":           {start, math.MaxInt64, math.MaxInt64},
		"it goes back from there a little":  {math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64},
		"the clock is before the beginning": {None, None, None},
	} {
		require.Equal(t, row.want, Next(row.last, row.now), name)
	}
}

// TestOneWrongClockDoesNotStampWhatComesLater: a clock that was ten years ahead for one
// message.
func TestOneWrongClockDoesNotStampWhatComesLater(t *testing.T) {
	last := Next(None, start)
	last = Next(last, start+10*year)
	require.Equal(t, start+10*year, last)
	last = Next(last, start+2)
	require.Equal(t, start+2, last)
	require.Equal(t, start+3, Next(last, start+3))
}

func TestNewTimesGoUpOrBackToTheClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last, now := rapid.Int64().Draw(t, "last"), rapid.Int64().Draw(t, "now")
		if rapid.Bool().Draw(t, "near") {
			now = Later(Earlier(last, 2*MaxAhead), rapid.Int64Range(0, 4*MaxAhead).Draw(t, "distance"))
		}
		got := Next(last, now)
		require.GreaterOrEqual(t, got, now)
		require.LessOrEqual(t, got, Later(now, MaxAhead))
		require.True(t, got == now || got == last)
		if last <= Later(now, MaxAhead) {
			require.GreaterOrEqual(t, got, last)
		}
	})
}

func TestFromWhenAnAgeCounts(t *testing.T) {
	for name, row := range map[string]struct{ stamp, around, want int64 }{
		"its own time":                     {start - 5, start - 1, start - 5},
		"just now":                         {start, start - 1, start},
		"ahead of the clock":               {start + 1, start - 7, start - 7},
		"ahead by years":                   {start + 10*year, start - 7, start - 7},
		"nothing around":                   {start + 1, None, start},
		"around is never ahead, or counts": {start + 5, start + 1, start},
		"the epoch":                        {0, start, 0},
		"before it":                        {math.MinInt64, start, math.MinInt64},
	} {
		require.Equal(t, row.want, ForExpiry(row.stamp, start, row.around), name)
	}
}

func TestArithmeticEndsAtTheEndsOfTime(t *testing.T) {
	require.Equal(t, start+5, Later(start, 5))
	require.Equal(t, int64(math.MaxInt64), Later(math.MaxInt64-4, 5))
	require.Equal(t, int64(math.MinInt64+5), Later(math.MinInt64, 5))
	require.Equal(t, start-5, Earlier(start, 5))
	require.Equal(t, int64(math.MinInt64), Earlier(math.MinInt64+4, 5))
	require.Equal(t, int64(math.MaxInt64-5), Earlier(math.MaxInt64, 5))
}
