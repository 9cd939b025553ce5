package engine

// Tick tells the engine the time, in nanoseconds since the epoch, and lets it
// do what has come due. The shell calls it at the start of each turn and at
// NextTick.
func (e *Engine) Tick(now int64) {
	back := now < e.now
	if back {
		e.clockWentBack(now)
	}
	e.now = now
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
	if now >= e.durability.due {
		e.durability.due = never
		e.syncInBackground()
	}
	e.dropIdleMemory()
}

// clockWentBack moves the times at which something is due along with a clock that was
// set back, or all of it would be late by as much.
func (e *Engine) clockWentBack(now int64) {
	d, x := &e.durability, &e.expiry
	if d.due != never {
		d.due = min(d.due, now+int64(e.cfg.SyncEvery))
	}
	d.lastWrite = min(d.lastWrite, now)
	d.removeAt = min(d.removeAt, now)
	e.indexing.retryAt = min(e.indexing.retryAt, now)
	e.compacting.retryAt = min(e.compacting.retryAt, now)
	if x.due != never && x.ran > now {
		x.due = now
	}
	x.ran = min(x.ran, now)
	for _, p := range e.underWay() {
		p.due = min(p.due, now+purgePause)
	}
	e.schedulesWentBack(now)
	for _, b := range e.blocks {
		b.retryAt = min(b.retryAt, now)
		if b.due != never && b.times.Lowest() > now {
			e.lookAt(b, now) // all are ahead of the clock, and count from elsewhere
		}
	}
	if x.retry != never {
		x.retry = now
	}
	if e.ttl != nil {
		e.ttl.ran = min(e.ttl.ran, now)
		e.ttl.seek.retryAt = min(e.ttl.seek.retryAt, now)
		e.ttl.armed()
	}
}

// NextTick returns when Tick has something to do, or false when it has not.
func (e *Engine) NextTick() (int64, bool) {
	if e.failed != nil || e.stopped {
		return 0, false
	}
	next := min(e.limitsDue(), e.livesDue(), e.durability.due, e.durability.retryDue(e.now), e.indexing.nextDue(e), e.change.due, e.compacting.retryDue(e.now), e.purgeDue())
	if e.schedules != nil {
		next = min(next, e.schedules.next())
	}
	if e.inflight == nil && e.lingers() {
		next = min(next, e.current.shownAt+int64(e.cfg.Linger))
	}
	if e.tail != nil && e.tail.memory.tail != nil && e.inflight == nil && e.current.idle() {
		next = min(next, e.durability.lastWrite+idleAfter)
	}
	return next, next != never
}
