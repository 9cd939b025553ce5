package actors

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBoundsAreDecimalAndNative: both scales are in the one list, exactly.
func TestBoundsAreDecimalAndNative(t *testing.T) {
	for _, decimal := range []float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10} {
		require.Contains(t, times.bounds, decimal)
	}
	for i := -32; i <= 8; i++ {
		require.Contains(t, times.bounds, math.Exp2(float64(i)/2))
	}
	require.Len(t, times.bounds, 9+41-1) // 1 is in both
	for _, decimal := range []float64{1, 10, 100, 1000, 10_000} {
		require.Contains(t, sizes.bounds, decimal)
	}
	for i := range 20 {
		require.Contains(t, sizes.bounds, math.Exp2(float64(i)))
	}
	require.Len(t, sizes.bounds, 4+20)
	for _, s := range []*scale{times, sizes} {
		require.LessOrEqual(t, len(s.bounds)+1, chunks*chunk)
		require.IsIncreasing(t, s.bounds)
		require.IsIncreasing(t, s.whole)
	}
}

// TestEachValueIsInItsBucket: at each bound, and beside it.
func TestEachValueIsInItsBucket(t *testing.T) {
	for _, s := range []*scale{times, sizes} {
		for i, bound := range s.whole {
			require.InDelta(t, s.bounds[i], float64(bound)*s.unit, s.unit)
			require.Equal(t, i, s.bucket(bound))
			require.Equal(t, i+1, s.bucket(bound+1))
		}
		require.Zero(t, s.bucket(0))
		require.Equal(t, len(s.bounds), s.bucket(math.MaxUint64))
	}
	require.Equal(t, 0.001, times.bounds[times.bucket(uint64(time.Millisecond))])
	require.Greater(t, times.bounds[times.bucket(uint64(time.Millisecond+1))], 0.001)
}

func TestMeter(t *testing.T) {
	var m meter
	h := m.histogram(times)
	require.Len(t, h.Counts, len(h.Bounds)+1)
	require.Zero(t, h.Count)
	m.observeTime(time.Millisecond, 16)
	m.observeTime(time.Hour, 1)
	m.observeTime(-time.Hour, 1)
	h = m.histogram(times)
	require.Equal(t, uint64(18), h.Count)
	require.InDelta(t, 3600.016, h.Sum, 1e-9)
	require.Equal(t, uint64(16), h.Counts[times.bucket(1e6)])
	require.Equal(t, uint64(1), h.Counts[len(h.Bounds)])
	require.Equal(t, uint64(1), h.Counts[0])
}
