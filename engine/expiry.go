package engine

// expiry says when MaxAge is applied next.
type expiry struct {
	due   int64
	ran   int64 // when it was applied last
	waits bool  // the last run waits for a table
	// retry is when a table that could not be read is worth another attempt.
	retry int64
}

// expiryDistance is the least time between two runs that remove expired
// messages, in nanoseconds.
const expiryDistance = int64(250e6)

// applyLimitsDue applies the limits whose time has come. While the stream is being
// opened, each Ready does so.
func (e *Engine) applyLimitsDue() {
	x := &e.expiry
	retry := e.now >= x.retry
	if retry {
		x.retry = never
	}
	if !e.serving() {
		return
	}
	if retry {
		e.catchUp()
		e.expire()
	}
	if e.now >= x.due {
		e.expire()
	}
}

// limitsDue returns when applyLimitsDue has something to do next, or never.
func (e *Engine) limitsDue() int64 {
	if !e.serving() {
		return e.expiry.retry
	}
	return min(e.expiry.retry, e.expiry.due)
}

// expire removes what is older than MaxAge from the head of the stream.
func (e *Engine) expire() {
	e.expiry.due = never
	if e.cfg.Limits.MaxAge <= 0 {
		return
	}
	e.expiry.ran, e.expiry.waits = e.now, false
	cutoff := e.now - int64(e.cfg.Limits.MaxAge)
	for {
		b := e.head()
		if b == nil || b.firstTime > cutoff {
			break
		}
		if _, loaded := b.table(b.firstLive); !loaded && !b.unreadable() {
			// Engine.loaded goes on, or applyLimitsDue at the time of the retry.
			e.expiry.waits = e.want(b)
			return
		} else if until := b.unreadUntil(); !loaded && until > cutoff {
			// Nobody knows which of its messages have expired. In the end all have.
			e.expiry.due = max(until+int64(e.cfg.Limits.MaxAge), e.now+expiryDistance)
			return
		}
		if !e.removeHead(countRemovedAge, func(b *block) bool { return b.maxTime <= cutoff }) {
			break
		}
	}
	e.armExpiry()
}

// armExpiry sets when MaxAge is applied next: when the oldest message expires, but not
// sooner than expiryDistance after the last time.
func (e *Engine) armExpiry() {
	if e.cfg.Limits.MaxAge <= 0 {
		return
	}
	b := e.head()
	if b == nil {
		e.expiry.due = never
		return
	}
	due := b.firstTime + int64(e.cfg.Limits.MaxAge)
	if due < b.firstTime { // beyond the end of time
		due = never
	}
	// The distance counts from the last run: counted from now, a head that moves
	// often would put the next run off again and again.
	e.expiry.due = max(due, e.expiry.ran+expiryDistance)
}
