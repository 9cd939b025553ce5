package msgheader

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const bad = math.MinInt64 // what these tables have for an error

func TestTTL(t *testing.T) {
	for value, want := range map[string]int64{
		"": 0, "never": Never, "NEVER": Never, "Never": Never,
		"1": 1, "05": 5, "00": 0, "9223372036854775807": math.MaxInt64,
		"1s": 1, "5s": 5, "1.5s": 1, "1h30m": 5400, "1000ms": 1, "1999ms": 1, "+2s": 2,
		"2562047h47m16s": 9223372036,
		"0":              bad, "0s": bad, "500ms": bad, "999ms": bad, "999999999ns": bad, "-1": bad, "-5s": bad, "+1": bad, "abc": bad,
		"1 ": bad, " 1": bad, "never ": bad, "nevеr": bad, "1.5": bad, "1d": bad, "0x10": bad,
		"9223372036854775808": bad, "18446744073709551617": bad, "99999999999999999999999": bad, "2562048h": bad,
	} {
		got, err := ParseTTL([]byte(value))
		if want == bad {
			require.ErrorIs(t, err, ErrBadValue, value)
			want = 0
		} else {
			require.NoError(t, err, value)
		}
		require.Equal(t, want, got, value)
	}
}

func TestDue(t *testing.T) {
	const never = int64(math.MaxInt64)
	for _, row := range []struct{ stamp, ttl, want int64 }{
		{7, 1, 1e9 + 7}, {-5, 2, 2e9 - 5}, {7, 0, never}, {7, Never, never},
		{0, math.MaxInt64, never}, {0, 9223372036, 9223372036e9}, {0, 9223372037, never},
		{never - 1, 1, never}, {never - 1e9, 1, never}, {never - 1e9 - 1, 1, never - 1},
		{math.MinInt64, 9223372036, math.MinInt64 + 9223372036e9},
	} {
		require.Equal(t, row.want, Due(row.stamp, row.ttl), "%+v", row)
	}
}

func TestRollups(t *testing.T) {
	for value, want := range map[string]RollupKind{"": RollupNone, "sub": RollupSubject, "SUB": RollupSubject, "all": RollupAll, "All": RollupAll} {
		got, err := ParseRollup([]byte(value))
		require.NoError(t, err)
		require.Equal(t, want, got, value)
	}
	for _, value := range []string{"subject", "su", " sub", "ſub"} {
		_, err := ParseRollup([]byte(value))
		require.ErrorIs(t, err, ErrBadValue, value)
	}
}

func TestExpectedSequences(t *testing.T) {
	for value, want := range map[string]uint64{"0": 0, "7": 7, "18446744073709551615": math.MaxUint64} {
		got, expected, err := ParseSequence(ExpectedLastSequence, []byte(value))
		require.NoError(t, err)
		require.True(t, expected)
		require.Equal(t, want, got)
	}
	_, expected, err := ParseSequence(ExpectedLastSequence, nil)
	require.NoError(t, err)
	require.False(t, expected)
	for _, value := range []string{"-1", "+1", "x", "1 ", "18446744073709551616"} {
		_, _, err := ParseSequence(ExpectedLastSequence, []byte(value))
		require.ErrorIs(t, err, ErrBadValue, value)
		require.ErrorContains(t, err, ExpectedLastSequence)
	}
}

func TestNextOfASchedule(t *testing.T) {
	_, purge, err := ParseNext([]byte("purge"))
	require.NoError(t, err)
	require.True(t, purge)
	at := time.Date(2030, 1, 2, 3, 4, 5, 600, time.FixedZone("", 7200))
	next, purge, err := ParseNext([]byte(at.Format(time.RFC3339Nano)))
	require.NoError(t, err)
	require.False(t, purge)
	require.Equal(t, at.UnixNano(), next)
	for _, value := range []string{"", "Purge", "tomorrow", "2030-01-02", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		_, _, err := ParseNext([]byte(value))
		require.ErrorIs(t, err, ErrBadValue, value)
	}
}
