package engine

import (
	"github.com/seed-d8b58eba/millrace/engine/stamps"
	"github.com/seed-d8b58eba/millrace/engine/wheel"
)

// MaxAge removes each message at its own time, wherever it stands. What it removes from the head of the stream
// leaves no record: it is due again when the stream is opened. What it removes from behind a message that stays
// is removed with a tombstone, as if somebody had asked for it (see removeDue). So is what is ahead of the clock
// and counts from the times around it, which may be others then.
//
// A wheel has the blocks by the time at which a message in them may be due. Where a block has lost messages,
// that may be too early; the block is then looked at once more than it had to be.

// expiry says when MaxAge is applied next.
type expiry struct {
	due   int64
	ran   int64 // when it was applied last
	waits bool  // the last run waits for a table
	// retry is when a table that could not be read is worth another attempt.
	retry int64

	blocks   wheel.Wheel // the numbers of blocks, by block.due
	removing bool        // a removeDue is parked
	// expired is told of each message that is removed for its age or by its TTL, and of 0 before and behind those that
	// are removed as one. Tests set it.
	expired func(sequence uint64)
}

// expiryDistance is the least time between two runs that remove expired
// messages, in nanoseconds.
const expiryDistance = int64(250e6)

// applyLimitsDue applies the limits whose time has come. While the stream is being
// opened, each Ready does so.
func (e *Engine) applyLimitsDue() {
	x := &e.expiry
	retry := e.steady >= x.retry
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
	retry := e.when(e.expiry.retry)
	if !e.serving() {
		return retry
	}
	return min(retry, e.expiry.due)
}

// maxAge returns the age at which messages are removed, in nanoseconds.
func (e *Engine) maxAge() int64 { return int64(e.cfg.Limits.MaxAge) }

// expire removes what is older than MaxAge.
func (e *Engine) expire() {
	e.expiry.due, e.expiry.waits = never, false // a limit that was lifted waits for nothing any more
	if e.maxAge() <= 0 || e.change.beforeAge() {
		return
	}
	e.expiry.ran = e.now
	due, more := e.dueBlocks()
	p := e.newAgePass()
	p.lookAround(due) // while all that is around them is there
	if !e.expireHead() || e.opening != nil && e.opening.frugal {
		for _, b := range due {
			e.lookAt(b, e.now)
		}
		e.expiry.due = never
		return // loaded goes on, or applyLimitsDue at the time of the retry, or expireOnceOpen
	}
	more = p.expire(due) || more
	e.armExpiry()
	if more {
		e.expiry.due = e.now
	}
}

// expireOnceOpen has the next Tick remove what opening the stream has left: until the engine has taken over, nothing
// is staged.
func (e *Engine) expireOnceOpen() {
	if due, ok := e.expiry.blocks.Next(); ok && due <= e.now {
		e.expiry.due = e.now
	}
}

// expireHead removes messages from the head of the stream, up to the first that is not due. It reports false
// when it waits for a table.
func (e *Engine) expireHead() bool {
	cutoff := stamps.Earlier(e.now, e.maxAge())
	for {
		b := e.head()
		if b != nil && e.opening != nil && e.opening.frugal && b.msgs == e.counts[countMessages] {
			return true // it is the last one with messages
		}
		if b == nil || b.firstTime > cutoff || e.spared(b) || e.marks() && !b.unreadable() {
			return true
		}
		if _, loaded := b.table(b.firstLive); !loaded && !b.unreadable() {
			e.expiry.waits = e.want(b)
			return false
		} else if until := b.unreadUntil(); !loaded && until > cutoff {
			// Nobody knows which of its messages have expired. In the end all have.
			return true
		}
		if !e.removeHead(countRemovedAge, func(b *block) bool { return b.maxTime <= cutoff && !b.hasForEver() }) {
			return true
		}
	}
}

// spared reports whether the first live message of a block lives for ever, or may do so. What is left of an
// unreadable block is lost in any case.
func (e *Engine) spared(b *block) bool {
	_, loaded := b.table(b.firstLive)
	return b.livesForEver(b.firstLive) || b.unseen > 0 && !b.unreadable() && (loaded || b.unseen <= mostLifeSeeks)
}

// armExpiry sets when MaxAge is applied next: when a block has to be looked at, but not
// sooner than expiryDistance after the last time.
func (e *Engine) armExpiry() {
	e.expiry.due = never
	if due, ok := e.expiry.blocks.Next(); ok {
		// The distance counts from the last run: counted from now, a head that moves
		// often would put the next run off again and again.
		e.expiry.due = max(due, e.expiry.ran+expiryDistance)
	}
}
