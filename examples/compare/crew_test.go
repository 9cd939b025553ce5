package main

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCrewCountsStepsAndLatencies(t *testing.T) {
	var steps [2]int64
	done, err := runCrew(time.Millisecond, []hand{
		{sampleEvery: 4, step: func() error { steps[0]++; return nil }},
		{step: func() error { steps[1]++; return nil }},
	})
	require.NoError(t, err)
	require.Equal(t, steps[0], done[0].steps)
	require.Equal(t, steps[1], done[1].steps)
	require.EqualValues(t, (steps[0]+3)/4, done[0].latencies.Count(), "every fourth, from the first on")
	require.Zero(t, done[1].latencies.Count())
	sum := together(done)
	require.Equal(t, steps[0]+steps[1], sum.steps)
	require.Equal(t, done[0].latencies.Count(), sum.latencies.Count())
}

func TestCrewDoesAtLeastOneStep(t *testing.T) {
	done, err := runCrew(0, []hand{{step: func() error { return nil }}})
	require.NoError(t, err)
	require.Positive(t, done[0].steps)
}

func TestCrewEndsAtTheFirstError(t *testing.T) {
	failure := errors.New("no disk")
	_, err := runCrew(time.Hour, []hand{
		{step: func() error { runtime.Gosched(); return nil }},
		{step: func() error { return failure }},
	})
	require.ErrorIs(t, err, failure)
}

func TestBackgroundRunsUntilItIsStopped(t *testing.T) {
	failure := errors.New("no disk")
	var rounds atomic.Int64
	b := startBackground(2, func(number int, over *atomic.Bool) error {
		for !over.Load() {
			rounds.Add(1)
			runtime.Gosched()
		}
		if number == 1 {
			return failure
		}
		return nil
	})
	for rounds.Load() < 10 {
		runtime.Gosched()
	}
	require.ErrorIs(t, b.stop(), failure)
	before := rounds.Load()
	runtime.Gosched()
	require.Equal(t, before, rounds.Load())
}
