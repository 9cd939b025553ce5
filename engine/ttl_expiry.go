package engine

import "slices"

// mostEndBlocks bounds the blocks whose tables one removal of messages by their TTL asks for.
const mostEndBlocks = 16

// livesDue returns when endLivesDue has something to do next, or never.
func (e *Engine) livesDue() int64 {
	if e.ttl == nil || !e.serving() {
		return never
	}
	due := e.when(e.ttl.seek.due(e))
	if e.ttl.wheel.Len() > 0 {
		due = min(due, e.ttl.due)
	}
	return max(due, e.now)
}

// endLivesDue removes the messages whose TTL has come.
func (e *Engine) endLivesDue() {
	x := e.ttl
	if x == nil || e.now < x.due || !e.serving() {
		return
	}
	x.ran = e.now
	var list []uint64
	more := false
	x.wheel.Expire(e.now, func(sequence uint64, _ int64) bool {
		if more = len(list) == mostDue; !more {
			list = append(list, sequence)
		}
		return !more
	})
	slices.Sort(list)
	now, later := e.endNext(list)
	e.awaitAgain(later)
	more = more || len(later) > 0
	// A removal that waits is told of in the end; one that cannot be begun is not.
	if waits := e.expiry.removing; len(now) > 0 && !e.removeInOrder(now, countRemovedTTL) && (waits || !e.expiry.removing) {
		e.awaitAgain(now)
		more = false
	}
	if x.armed(); more {
		x.due = e.now
	}
}

// endNext returns those of the messages that are removed next, and those that are later, so that not too many
// tables are in memory for it.
func (e *Engine) endNext(list []uint64) (now, later []uint64) {
	missing := 0
	var last *block
	for i, sequence := range list {
		b := e.blockOf(sequence)
		if b == nil {
			continue
		}
		if _, loaded := b.table(sequence); !loaded && b != last {
			if missing++; missing > mostEndBlocks {
				return now, list[i:]
			}
		}
		last = b
		now = append(now, sequence)
	}
	return now, nil
}

// awaitAgain puts messages back that are due, as far as they are still there.
func (e *Engine) awaitAgain(list []uint64) {
	for _, sequence := range list {
		b := e.blockOf(sequence)
		if b == nil {
			continue
		}
		if l := b.lives.find(sequence); l != nil && l.due != never {
			e.ttl.wheel.Add(sequence, l.due)
		}
	}
}

// endedLives goes on when messages were removed for their TTL: some could not be, as their block is unreadable.
func (e *Engine) endedLives(list []uint64) {
	if e.ttl != nil {
		e.awaitAgain(list)
		e.ttl.armed()
	}
}

// armed sets when messages are removed next.
func (x *ttls) armed() {
	x.due = never
	if due, ok := x.wheel.Next(); ok {
		x.due = max(due, x.ran+expiryDistance)
	}
}
