package schedule

import (
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, wherever they run

	"github.com/stretchr/testify/require"
)

func zone(t require.TestingT, name string) *time.Location {
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func parse(t require.TestingT, pattern string, zone *time.Location) *Schedule {
	s, err := Parse(pattern, zone)
	require.NoError(t, err, pattern)
	return &s
}

// times returns the next times at which a schedule is due, as its zone shows them.
func times(t require.TestingT, s *Schedule, after string, n int) (list []string) {
	start, err := time.Parse(time.RFC3339Nano, after)
	require.NoError(t, err)
	at := start.UnixNano()
	for range n {
		next, ok := s.Next(at)
		require.True(t, ok)
		require.Greater(t, next, at)
		at = next
		list = append(list, string(s.AppendTime(nil, at)))
	}
	return list
}

func TestPatternsThatAreDue(t *testing.T) {
	for pattern, want := range map[string]string{
		"@every 1s":               "2024-02-27T10:20:31Z 2024-02-27T10:20:32Z",
		"@every 1500ms":           "2024-02-27T10:20:31.5Z 2024-02-27T10:20:33.5Z",
		"@every 1h30m":            "2024-02-27T11:50:30Z 2024-02-27T13:20:30Z",
		"@hourly":                 "2024-02-27T11:00:00Z 2024-02-27T12:00:00Z",
		"@daily":                  "2024-02-28T00:00:00Z 2024-02-29T00:00:00Z",
		"@midnight":               "2024-02-28T00:00:00Z 2024-02-29T00:00:00Z",
		"@weekly":                 "2024-03-03T00:00:00Z 2024-03-10T00:00:00Z",
		"@monthly":                "2024-03-01T00:00:00Z 2024-04-01T00:00:00Z",
		"@yearly":                 "2025-01-01T00:00:00Z 2026-01-01T00:00:00Z",
		"@annually":               "2025-01-01T00:00:00Z 2026-01-01T00:00:00Z",
		"* * * * * *":             "2024-02-27T10:20:31Z 2024-02-27T10:20:32Z",
		"? ? ? ? ? ?":             "2024-02-27T10:20:31Z 2024-02-27T10:20:32Z",
		"30 20 10 27 2 *":         "2025-02-27T10:20:30Z 2026-02-27T10:20:30Z",
		"0 0 0 29 2 *":            "2024-02-29T00:00:00Z 2028-02-29T00:00:00Z",
		"0 0 0 31 * *":            "2024-03-31T00:00:00Z 2024-05-31T00:00:00Z",
		"*/20 * * * * *":          "2024-02-27T10:20:40Z 2024-02-27T10:21:00Z",
		"50/5 * * * * *":          "2024-02-27T10:20:50Z 2024-02-27T10:20:55Z",
		"0 10-30/10 * * * *":      "2024-02-27T10:30:00Z 2024-02-27T11:10:00Z",
		"5,7 0 0 1 jan ?":         "2025-01-01T00:00:05Z 2025-01-01T00:00:07Z",
		"0 0 12 * * MON-wed":      "2024-02-27T12:00:00Z 2024-02-28T12:00:00Z",
		"0 0 0 1 * fri":           "2024-03-01T00:00:00Z 2024-03-08T00:00:00Z",
		"0 0 0 13 * 5":            "2024-03-01T00:00:00Z 2024-03-08T00:00:00Z", // the 13th or a Friday
		"0 0 0 13 * 5 ":           "2024-03-01T00:00:00Z 2024-03-08T00:00:00Z",
		"0 0 0 13 mar *":          "2024-03-13T00:00:00Z 2025-03-13T00:00:00Z",
		"0 0 0 13 * */1":          "2024-03-13T00:00:00Z 2024-04-13T00:00:00Z", // every day of the week
		"0 0 0 13 mar */2":        "2024-03-02T00:00:00Z 2024-03-03T00:00:00Z", // or Sunday, Tuesday, ...
		"0 0 0 30 2 5":            "2025-02-07T00:00:00Z 2025-02-14T00:00:00Z",
		"0 0 0 ,1, jan *":         "2025-01-01T00:00:00Z 2026-01-01T00:00:00Z",
		"0 0 0 1-5/3 jan *":       "2025-01-01T00:00:00Z 2025-01-04T00:00:00Z",
		"59 59 23 31 12 *":        "2024-12-31T23:59:59Z 2025-12-31T23:59:59Z",
		"1/99999 0 0 1 1 *":       "2025-01-01T00:00:01Z 2026-01-01T00:00:01Z",
		"\t0  0 0\t1 DEC * ":      "2024-12-01T00:00:00Z 2025-12-01T00:00:00Z",
		"0 0 0 1 feb-2 sun-6":     "2024-02-28T00:00:00Z 2024-02-29T00:00:00Z",
		"0 0 0 31 2-4 *":          "2024-03-31T00:00:00Z 2025-03-31T00:00:00Z",
		"007 000 0 1 1 *":         "2025-01-01T00:00:07Z 2026-01-01T00:00:07Z",
		"0 0 0 1 1 sun,mon,tue/9": "2025-01-01T00:00:00Z 2025-01-05T00:00:00Z",
	} {
		s := parse(t, pattern, nil)
		require.True(t, s.Repeats())
		require.Equal(t, want, strings.Join(times(t, s, "2024-02-27T10:20:30Z", 2), " "), pattern)
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for _, pattern := range []string{
		"", "@", "@at", "@at ", "@at tomorrow", "@at 2024-02-27", "@at 9999-01-01T00:00:00Z", "@at 0001-01-01T00:00:00Z",
		"@at 2023-02-29T00:00:00Z", "@every", "@every ", "@every 999ms", "@every -5s", "@every 5", "@every 5s ", "@every  5s",
		"@every 9999999h", "@Daily", "@daily ", "@reboot", "@hourly x",
		"* * * * *", "* * * * * * *", "60 * * * * *", "* 60 * * * *", "* * 24 * * *", "* * * 0 * *", "* * * 32 * *", "* * * * 0 *",
		"* * * * 13 *", "* * * * * 7", "x * * * * *", "-1 * * * * *", "+1 * * * * *", "1- * * * * *", "-1-5 * * * * *", "5-1 * * * * *",
		"1-2-3 * * * * *", "*/0 * * * * *", "*/-1 * * * * *", "*/x * * * * *", "*/ * * * * *", "1/2/3 * * * * *", ", * * * * *",
		"*-5 * * * * *", "** * * * * *", "jan * * * * *", "* * * * mon *", "* * * * * jan", "* * * * january *",
		"1/4294967296 * * * * *", "65536 * * * * *", "99999999999999999999 * * * * *", "* * * * * ſun",
		"0 0 0 30 2 *", "0 0 0 31 2,4,6,9,11 *", "0 0 0 30,31 feb ?", // in no year
	} {
		_, err := Parse(pattern, nil)
		require.ErrorIs(t, err, ErrBadPattern, pattern)
	}
	for _, pattern := range []string{"@at 2030-01-01T00:00:00Z", "@every 5s"} {
		_, err := Parse(pattern, time.UTC)
		require.ErrorIs(t, err, ErrBadPattern, pattern)
	}
}

func TestAtIsDueOnceEvenIfItIsPast(t *testing.T) {
	s := parse(t, "@at 2030-01-02T03:04:05.25+02:00", nil)
	require.False(t, s.Repeats())
	for _, after := range []int64{0, math.MinInt64, math.MaxInt64} {
		due, ok := s.Next(after)
		require.True(t, ok)
		require.Equal(t, "2030-01-02T01:04:05.25Z", string(s.AppendTime(nil, due)))
	}
}

func TestEveryCountsFromTheNearestSecond(t *testing.T) {
	s := parse(t, "@every 1500ms", nil)
	const base = int64(1_700_000_000e9)
	for after, want := range map[int64]int64{base: 15e8, base + 499_999_999: 15e8, base + 5e8: 25e8, base - 1: 15e8, base - 5e8: 15e8, base - 5e8 - 1: 5e8} {
		due, ok := s.Next(after)
		require.True(t, ok)
		require.Equal(t, want, due-base)
	}
}

func TestWhatWasMissedIsNotMadeUpFor(t *testing.T) {
	const was = int64(1_700_000_000e9) // 22:13:20
	for pattern, want := range map[string][3]int64{
		"@every 10s":     {10e9, 10e9, 1_000_010e9},
		"*/10 * * * * *": {10e9, 10e9, 1_000_010e9},
	} {
		s := parse(t, pattern, nil)
		for i, late := range []int64{0, 10e9, 1_000_000e9} {
			due, ok := s.Again(was, was+late)
			require.True(t, ok)
			require.Equal(t, want[i], due-was, pattern)
		}
	}
}

func TestTheEndsOfTime(t *testing.T) {
	for _, pattern := range []string{"@every 1s", "@every 2000000h", "* * * * * *", "@yearly", "0 0 0 29 2 *"} {
		s := parse(t, pattern, nil)
		due, ok := s.Next(math.MinInt64)
		require.True(t, ok, pattern)
		require.Less(t, due, int64(math.MinInt64+9e18), pattern)
		_, ok = s.Next(math.MaxInt64)
		require.False(t, ok, pattern)
		_, ok = s.Again(math.MinInt64, math.MaxInt64)
		require.False(t, ok, pattern)
	}
	due, ok := parse(t, "* * * * * *", nil).Next(math.MaxInt64 - 1e9)
	require.True(t, ok)
	require.Equal(t, int64(math.MaxInt64/1_000_000_000)*1e9, due)
}
