package metrics_test

import (
	"context"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// histogramOf returns a histogram as a scraper gets it that asks for native ones.
func histogramOf(t *testing.T, s metrics.Source, name string) *dto.Histogram {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(s)))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// buckets returns the counts of the native buckets by their upper bounds.
func buckets(h *dto.Histogram) map[float64]int64 {
	found := make(map[float64]int64)
	index, count, at := int32(0), int64(0), 0
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			count += h.GetPositiveDelta()[at]
			found[math.Exp2(float64(index)/math.Exp2(float64(h.GetSchema())))] = count
			index, at = index+1, at+1
		}
	}
	return found
}

func TestNativeHistograms(t *testing.T) {
	root := math.Exp2(-8.5) // the bound between 1/512 and 1/256
	s := &source{actors.Stats{Name: "ORDERS"}}
	s.stats.AckSeconds = actors.Histogram{
		Bounds: []float64{1. / 65536, 1. / 512, root, 0.003, 1. / 256, 0.005, 1. / 128, 0.5, 1},
		Counts: []uint64{1, 2, 4, 8, 16, 32, 64, 0, 128, 256}, Sum: 9, Count: 511,
	}
	h := histogramOf(t, s, "millrace_ack_duration_seconds")
	require.Equal(t, int32(1), h.GetSchema())
	require.Equal(t, 1./65536, h.GetZeroThreshold())
	require.Equal(t, uint64(1), h.GetZeroCount())
	require.Equal(t, map[float64]int64{
		1. / 512: 2, root: 4, 1. / 256: 8 + 16, math.Exp2(-7.5): 32, 1. / 128: 64, 1: 128, math.Exp2(0.5): 256,
	}, buckets(h))
	require.Equal(t, uint64(511), h.GetSampleCount())
	require.Equal(t, 9.0, h.GetSampleSum())
}

// TestHistogramsOfAStoreAreWhole: classic and native buckets of what a store has counted have all of it, and their
// bounds are among those of the statistics.
func TestHistogramsOfAStoreAreWhole(t *testing.T) {
	store, err := actors.Open(t.Context(), quietSystem(), actors.Config{Dir: t.TempDir(), Name: "ORDERS"})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Stop(context.Background())) }()
	for range 50 {
		_, err := store.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: "b"}, {Subject: "c"}})
		require.NoError(t, err)
	}
	stats := store.Stats()
	for name, counted := range map[string]actors.Histogram{
		"millrace_ack_duration_seconds": stats.AckSeconds, "millrace_write_duration_seconds": stats.WriteSeconds,
		"millrace_sync_duration_seconds": stats.SyncSeconds, "millrace_group_records": stats.Groups,
	} {
		h := histogramOf(t, store, name)
		require.Equal(t, uint64(50), h.GetSampleCount(), name)
		total := int64(h.GetZeroCount())
		for bound, count := range buckets(h) {
			total += count
			require.Contains(t, append(counted.Bounds, math.Inf(1)), bound, name)
		}
		require.Equal(t, int64(50), total, name)
		for _, b := range h.GetBucket() {
			require.Contains(t, counted.Bounds, b.GetUpperBound(), name)
		}
		require.LessOrEqual(t, len(h.GetBucket()), 9, name)
	}
	require.Equal(t, uint64(50), histogramOf(t, store, "millrace_group_records").GetBucket()[1].GetCumulativeCount(), "3 records are at most 10")
}
