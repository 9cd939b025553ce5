package cursor

import (
	"bytes"
	"slices"
)

// Verdict says what became of a command about a delivery.
type Verdict uint8

// The verdicts.
const (
	Done       Verdict = iota
	NotPending         // the message is settled, or this was not a delivery of it
	Stale              // the message was delivered again since
)

// Deliver says that the next message which is read is delivered. It returns the number of the delivery. It reports false
// when the message is behind the position.
func (c *Cursor) Deliver(sequence, key uint64, now int64) (number uint64, ok bool) {
	if sequence < c.position {
		return 0, false
	}
	return c.deliver(sequence, key, now, 1), true
}

// Loaded says that a message is delivered which Next has told to load. It returns the number of the delivery, and how many
// there were of the message. It reports false when the message is not to be delivered any more: it was settled, or put
// off, while it was loaded.
func (c *Cursor) Loaded(sequence, key uint64, now int64) (number, deliveries uint64, ok bool) {
	deliveries = 1
	if e := c.pending[sequence]; e != nil {
		if e.queue != nil {
			return 0, 0, false
		}
		deliveries = e.deliveries + 1
	} else if !c.unreserve(sequence) {
		return 0, 0, false
	}
	return c.deliver(sequence, key, now, deliveries), deliveries, true
}

func (c *Cursor) deliver(sequence, key uint64, now int64, deliveries uint64) (number uint64) {
	if !c.Ordered {
		key = 0
	}
	c.emit(event{kind: evDelivered, sequence: sequence, key: key, time: c.waitFor(now, deliveries)})
	return c.number
}

// Hold says that a message which is read waits for one of the same key.
func (c *Cursor) Hold(sequence, key uint64) {
	c.emit(event{kind: evHeld, sequence: sequence, key: key})
}

// farMove is how far the position moves without an event.
const farMove = 10_000

// Advance says that everything below a position was read.
func (c *Cursor) Advance(position uint64) {
	if position > c.position {
		if c.position = position; position-c.told >= farMove {
			c.emit(event{kind: evMoved, sequence: position})
		}
	}
}

// EndLasts says that the last message of each subject was read: from there on everything is.
func (c *Cursor) EndLasts() {
	if c.lasts > 0 {
		c.emit(event{kind: evLasted})
	}
}

// look finds the message of a delivery.
func (c *Cursor) look(sequence, number uint64) *entry {
	e := c.pending[sequence]
	if e == nil || number < e.first || number > e.last {
		return nil
	}
	return e
}

// Acked says that a message is done. Any of its deliveries will do.
func (c *Cursor) Acked(sequence, number uint64) Verdict {
	if c.look(sequence, number) == nil {
		return NotPending
	}
	c.emit(event{kind: evAcked, sequence: sequence})
	return Done
}

// IsPending reports whether Acked would do anything.
func (c *Cursor) IsPending(sequence, number uint64) bool { return c.look(sequence, number) != nil }

// Terminated says that a message is not to come again. Only whoever had it last may say so.
func (c *Cursor) Terminated(sequence, number uint64, now int64) Verdict {
	return c.latest(sequence, number, event{kind: evTerminated, time: now - c.Ahead})
}

// Delayed says that a message could not be handled, and is to come again at a time.
func (c *Cursor) Delayed(sequence, number uint64, until int64) Verdict {
	return c.latest(sequence, number, event{kind: evDelayed, time: until})
}

// Returned says that a delivery has reached nobody: it does not count, and the message comes again at once.
func (c *Cursor) Returned(sequence, number uint64, now int64) Verdict {
	return c.latest(sequence, number, event{kind: evReturned, time: now})
}

// Extended says that a message is being handled, and has all of its time again.
func (c *Cursor) Extended(sequence, number uint64, now int64) Verdict {
	e := c.look(sequence, number)
	if e == nil {
		return NotPending
	}
	return c.latest(sequence, number, event{kind: evExtended, time: c.waitFor(now, e.deliveries)})
}

func (c *Cursor) latest(sequence, number uint64, e event) Verdict {
	switch p := c.look(sequence, number); {
	case p == nil:
		return NotPending
	case p.last != number:
		return Stale
	}
	e.sequence = sequence
	c.emit(e)
	return Done
}

// Removed says that the stream does not have a message any more. It reports whether that was of interest.
func (c *Cursor) Removed(sequence uint64, now int64) bool { return c.gone(evRemoved, sequence, now) }

// Damaged says that a message cannot be read any more.
func (c *Cursor) Damaged(sequence uint64, now int64) bool { return c.gone(evDamaged, sequence, now) }

func (c *Cursor) gone(kind eventKind, sequence uint64, now int64) bool {
	if _, held := c.held[sequence]; !held && c.pending[sequence] == nil {
		return false
	}
	c.unreserve(sequence)
	c.emit(event{kind: kind, sequence: sequence, time: now - c.Ahead})
	return true
}

// Rewind says that the stream gives sequences from one on to other messages. The consumer forgets those that it knows.
func (c *Cursor) Rewind(position uint64, now int64) {
	position = max(position, 1)
	var known []uint64
	for sequence := range c.Outstanding() {
		if sequence >= position {
			known = append(known, sequence)
		}
	}
	slices.Sort(known)
	for _, sequence := range slices.Backward(known) {
		c.Removed(sequence, now)
	}
	if position < c.position {
		c.emit(event{kind: evRewound, sequence: position})
	}
}

// Pause says until when nothing is to be delivered; 0 ends it.
func (c *Cursor) Pause(until int64) {
	if until != c.paused {
		c.emit(event{kind: evPaused, time: until})
	}
}

// SetConfig replaces what the caller has the state keep.
func (c *Cursor) SetConfig(config []byte) {
	if !bytes.Equal(config, c.config) {
		c.emit(event{kind: evConfig, config: slices.Clone(config)})
	}
}

// Expire says what time it is: messages that were not settled in time are due again, or have been delivered as often as
// they may be.
func (c *Cursor) Expire(now int64) {
	for len(c.later.entries) > 0 && c.later.entries[0].due <= now {
		e := c.later.entries[0]
		if c.MaxDeliver > 0 && e.deliveries >= c.MaxDeliver {
			c.emit(event{kind: evExhausted, sequence: e.sequence, time: now - c.Ahead})
			continue
		}
		c.later.remove(e)
		c.due.add(e)
	}
}

// Take returns the events since the last call; nil when there are none.
func (c *Cursor) Take() []byte {
	if len(c.out) > 0 && c.position > c.told {
		c.emit(event{kind: evMoved, sequence: c.position})
	}
	out := c.out
	c.out = nil
	return out
}

// Changed reports whether there are events that Take has not returned.
func (c *Cursor) Changed() bool { return len(c.out) > 0 }
