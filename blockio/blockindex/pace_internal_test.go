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

// TestOthersRunWhileWorkGoesOn: on one processor another goroutine gets it at most of the yields. By itself the scheduler would
// let it run after 10 ms only, in which there are fifty.
func TestOthersRunWhileWorkGoesOn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var turns atomic.Int64
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-stop:
				return
			default:
				turns.Add(1)
				runtime.Gosched()
			}
		}
	}()
	p := pace{on: true}
	const yields = 100
	let := 0 // at so many of them the other had a turn
	for range yields {
		before := turns.Load()
		stepsUntilYield(&p)
		if turns.Load() > before {
			let++
		}
	}
	close(stop)
	<-over
	require.Greater(t, let, yields/2)
}

func TestWorkKeepsHalfOfAProcessor(t *testing.T) {
	p := pace{on: true}
	require.GreaterOrEqual(t, stepsUntilYield(&p), slice)
	const waited = 5 * time.Millisecond
	p.took = waited
	require.GreaterOrEqual(t, stepsUntilYield(&p), waited, "it goes on for as long as it has waited")
}

func TestWorkThatIsWaitedForGoesOn(t *testing.T) {
	var p pace
	for range 2 * stepsAtOnce {
		p.step()
	}
	require.True(t, p.since.IsZero())
}

func TestStepsAreFewerThanLooksAtTheClock(t *testing.T) {
	p := pace{on: true}
	for range stepsAtOnce - 1 {
		p.step()
	}
	require.True(t, p.since.IsZero())
	p.step()
	require.False(t, p.since.IsZero())
}
