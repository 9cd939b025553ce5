package blockindex

import (
	"runtime"
	"time"
)

const (
	// slice is how long an index is worked on, at the least, before others are let run: many times as long as that takes
	// where nobody wants to.
	slice = 200 * time.Microsecond
	// stepsAtOnce is after how many steps the time is looked at.
	stepsAtOnce = 64
)

// pace has work that takes the processor for milliseconds, and that nobody waits for, let others run meanwhile. Its steps
// take less than a microsecond or so. See on.
//
// A goroutine keeps its processor for 10 ms before the Go scheduler takes it away. That long, timers wait that were set
// on that processor, and whom they would have woken. Its thread keeps its core as well, for about 3 ms on Linux: a thread
// whose sync ends meanwhile may be queued behind it. On two cores that was most of the slowest hundredth of synced writes.
//
// Who yields gets behind all that wants to run. So the work goes on for at least as long as the last yield has taken:
// it has half of a processor, whatever the others do.
type pace struct {
	on    bool // nobody waits for the work; where somebody does, it lets nobody else run
	steps int
	since time.Time
	took  time.Duration // to yield, the last time
}

// step counts a step, and yields where it is time to.
func (p *pace) step() {
	if p.steps++; p.steps < stepsAtOnce || !p.on {
		return
	}
	p.steps = 0
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	if now.Sub(p.since) < max(slice, p.took) {
		return
	}
	runtime.Gosched()
	yieldCore()
	p.since = time.Now()
	p.took = p.since.Sub(now)
}
