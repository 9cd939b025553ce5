package measure

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantileIsWithinABucket(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(0.5))
	for micros := 1; micros <= 1000; micros++ {
		h.Record(time.Duration(micros) * time.Microsecond)
	}
	require.EqualValues(t, 1000, h.Count())
	for part, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond,
	} {
		require.InEpsilon(t, want, h.Quantile(part), 0.016, "quantile %v", part)
	}
}

func TestBucketsAreInOrderAndHoldTheirMiddle(t *testing.T) {
	for bucket := range subBuckets * exponents {
		require.Equal(t, bucket, bucketOf(middleOf(bucket)))
		if bucket > 0 {
			require.Greater(t, middleOf(bucket), middleOf(bucket-1))
		}
	}
	require.Equal(t, subBuckets*exponents-1, bucketOf(1<<63))
}

func TestRecordTakesAnyDuration(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	h.Record(1 << 62)
	require.EqualValues(t, 2, h.Count())
	require.Zero(t, h.Quantile(0.25))
	require.Greater(t, h.Quantile(1), time.Hour)
}

func TestMergeAddsUp(t *testing.T) {
	var a, b Histogram
	a.Record(time.Millisecond)
	b.Record(time.Second)
	b.Record(time.Second)
	a.Merge(&b)
	require.EqualValues(t, 3, a.Count())
	require.InEpsilon(t, time.Second, a.Quantile(0.5), 0.016)
}

func TestMedian(t *testing.T) {
	require.Zero(t, Median(nil))
	require.Equal(t, 3.0, Median([]float64{9, 3, 1}))
	require.Equal(t, 2.5, Median([]float64{4, 1, 3, 2}))
	values := []float64{2, 1}
	Median(values)
	require.Equal(t, []float64{2, 1}, values)
}

func TestSummarizeTakesMediansFigureByFigure(t *testing.T) {
	s := Summarize([]Run{
		{Messages: 100, Elapsed: time.Second, P50: 3, P99: 10, AllocsPerItem: 1},
		{Messages: 300, Elapsed: time.Second, P50: 1, P99: 30, AllocsPerItem: 3},
		{Messages: 200, Elapsed: 4 * time.Second, P50: 2, P99: 20, AllocsPerItem: 2},
	})
	require.Equal(t, Summary{Rate: 100, Elapsed: time.Second, P50: 2, P99: 20, AllocsPerItem: 2}, s)
	require.Zero(t, Run{Messages: 5}.Rate())
}

func TestSummarizeTakesMediansOfExtras(t *testing.T) {
	runOf := func(writer, heap float64) Run {
		return Run{Extras: []Extra{{"writer", writer, PerSecond}, {"heap", heap, MiB}}}
	}
	s := Summarize([]Run{runOf(10, 3), runOf(30, 1), runOf(20, 2)})
	require.Equal(t, []Extra{{"writer", 20, PerSecond}, {"heap", 2, MiB}}, s.Extras)
	require.Equal(t, 2.0, s.Extra("heap"))
	require.Zero(t, s.Extra("unknown"))
}

func TestMeasureWarmDoesNotCountTheWarming(t *testing.T) {
	var kept [][]int
	warmed := false
	run, err := MeasureWarm(func() error {
		warmed = true
		for range 1000 {
			kept = append(kept, make([]int, 1))
		}
		return nil
	}, func() (int64, *Histogram, error) {
		require.True(t, warmed)
		return 1000, nil, nil
	})
	require.NoError(t, err)
	require.Len(t, kept, 1000)
	require.Less(t, run.AllocsPerItem, 0.5)

	failure := errors.New("no disk")
	_, err = MeasureWarm(func() error { return failure }, nil)
	require.ErrorIs(t, err, failure)
}

func TestHeapGrowsWithWhatIsKept(t *testing.T) {
	before := Heap()
	kept := make([]byte, 8<<20)
	grown := Heap() - before
	require.InDelta(t, 8<<20, grown, 1<<20)
	runtime.KeepAlive(kept)
}

func TestMeasureCountsWork(t *testing.T) {
	var kept []*int
	run, err := Measure(func() (int64, *Histogram, error) {
		for i := range 1000 {
			kept = append(kept, &i)
		}
		var h Histogram
		h.Record(time.Millisecond)
		return 1000, &h, nil
	})
	require.NoError(t, err)
	require.Len(t, kept, 1000)
	require.InDelta(t, 1, run.AllocsPerItem, 0.5)
	require.Positive(t, run.Rate())
	require.InEpsilon(t, time.Millisecond, run.P50, 0.016)

	failure := errors.New("no disk")
	_, err = Measure(func() (int64, *Histogram, error) { return 0, nil, failure })
	require.ErrorIs(t, err, failure)
}
