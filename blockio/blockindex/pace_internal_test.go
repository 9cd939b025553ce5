package blockindex

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stepsUntilYield counts the steps until one yields, and returns how long that was after the last time.
func stepsUntilYield(p *pace) time.Duration {
	for since := p.since; ; p.step() {
		if p.since != since && !since.IsZero() {
			return p.since.Sub(since)
		}
		if since.IsZero() {
			since = p.since
		}
	}
}

// TestOthersRunWhileWorkGoesOn: on one processor a goroutine that waits for it runs before the work is over, and long
// before the scheduler would take the processor away.
func TestOthersRunWhileWorkGoesOn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ran atomic.Int64
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ran.Add(1) < 10 {
			runtime.Gosched()
		}
	}()
	var p pace
	for ran.Load() < 10 { // spins for ever if nobody else gets the processor, but for the scheduler's own slices
		p.step()
	}
	<-over
}

func TestWorkKeepsHalfOfAProcessor(t *testing.T) {
	var p pace
	require.GreaterOrEqual(t, stepsUntilYield(&p), slice)
	const waited = 5 * time.Millisecond
	p.took = waited
	require.GreaterOrEqual(t, stepsUntilYield(&p), waited, "it goes on for as long as it has waited")
}

func TestStepsAreFewerThanLooksAtTheClock(t *testing.T) {
	var p pace
	for range stepsAtOnce - 1 {
		p.step()
	}
	require.True(t, p.since.IsZero())
	p.step()
	require.False(t, p.since.IsZero())
}
