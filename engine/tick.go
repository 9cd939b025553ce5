package engine

import (
	"time"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
)

// Two times pass for the engine. The clock of the shell may be set, or stand still: by it messages are stamped, grow
// old, outlive their TTLs and are forgotten as duplicates, and schedules fire. What waits for a while only, for more
// to write, for the next attempt or until it disturbs less, goes by the time that has passed, which only goes on: also
// where the clock does not, and by as much as the clock does.

// Tick tells the engine the time, in nanoseconds since the epoch, and lets it
// do what has come due. The shell calls it at the start of each turn and at
// NextTick.
func (e *Engine) Tick(now int64) { e.TickAfter(now, 0) }

// mostPassed bounds by how much a clock that jumps has time pass. All pauses are shorter.
const mostPassed = int64(24 * time.Hour)

// TickAfter is Tick for a shell that knows how much time has passed since the last call, whatever the clock says.
func (e *Engine) TickAfter(now int64, passed time.Duration) {
	back := now < e.now
	if back {
		e.clockWentBack(now)
	}
	if now > e.now {
		passed = max(passed, time.Duration(min(uint64(now-e.now), uint64(mostPassed))))
	}
	e.now = now
	e.steady += max(int64(passed), 0)
	e.ids.advance(now)
	e.indexing.begun = true
	if e.failed != nil || e.stopped {
		return
	}
	if back && e.ttl != nil {
		for _, b := range e.blocks {
			e.compacting.consider(e, b) // its messages go later than they were to
		}
	}
	if back && e.cfg.Limits.MaxAge > 0 && e.serving() {
		e.protectHead() // what is gone would not be old enough when the stream is opened
	}
	e.applyLimitsDue()
	e.endLivesDue()
	if e.schedules != nil {
		e.schedules.advance(e)
	}
	if e.steady >= e.durability.due {
		e.durability.due = never
		e.syncInBackground()
	}
	e.dropIdleMemory()
}

// clockWentBack moves the times at which something is due along with a clock that was
// set back, or all of it would be late by as much.
func (e *Engine) clockWentBack(now int64) {
	x := &e.expiry
	if x.due != never && x.ran > now {
		x.due = now
	}
	x.ran = min(x.ran, now)
	e.schedulesWentBack(now)
	for _, b := range e.blocks {
		if b.due != never && b.times.Lowest() > now {
			e.lookAt(b, now) // all are ahead of the clock, and count from elsewhere
		}
	}
	if e.ttl != nil {
		e.ttl.ran = min(e.ttl.ran, now)
		e.ttl.armed()
	}
}

// when returns what the clock shows, if nobody sets it, when as much time has passed; never stays what it is.
func (e *Engine) when(steady int64) int64 {
	if steady == never {
		return never
	}
	return stamps.Later(e.now, max(steady-e.steady, 0))
}

// NextTick returns when Tick has something to do, by the clock as it was at the last Tick, or false when it has not.
// A clock that may be set until then is to be looked at in between.
func (e *Engine) NextTick() (int64, bool) {
	if e.failed != nil || e.stopped {
		return 0, false
	}
	d := &e.durability
	pauses := min(d.due, d.retryDue(e.steady), e.indexing.nextDue(e), e.change.due, e.compacting.retryDue(e.steady), e.purgeDue())
	if e.inflight == nil && e.lingers() {
		pauses = min(pauses, e.current.shownAt+int64(e.cfg.Linger))
	}
	if e.tail != nil && e.tail.memory.tail != nil && e.inflight == nil && e.current.idle() {
		pauses = min(pauses, d.lastWrite+idleAfter)
	}
	next := min(e.limitsDue(), e.livesDue(), e.when(pauses))
	if e.schedules != nil {
		next = min(next, e.schedules.next(e))
	}
	return next, next != never
}
