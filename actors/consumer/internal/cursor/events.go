package cursor

import (
	"errors"
	"fmt"
	"slices"
)

// ErrDamaged: bytes are not the state of a consumer, or not its events.
var ErrDamaged = errors.New("cursor: not a state that this version has written")

type eventKind uint8

// The kinds of events. Their numbers are in files.
const (
	evDelivered  eventKind = iota + 1 // sequence, key, time: due again
	evHeld                            // sequence, key
	evMoved                           // sequence: position
	evLasted                          //
	evAcked                           // sequence
	evTerminated                      // sequence, time
	evDelayed                         // sequence, time: due again
	evExtended                        // sequence, time: due again
	evExhausted                       // sequence, time
	evRemoved                         // sequence, time
	evDamaged                         // sequence, time
	evRewound                         // sequence: position
	evPaused                          // time: until
	evConfig                          // config
	evReturned                        // sequence, time: due again
)

// event is one change of the state.
type event struct {
	kind          eventKind
	sequence, key uint64
	time          int64
	config        []byte
}

// emit applies an event of a command, which has looked whether it may happen.
func (c *Cursor) emit(e event) {
	if err := c.apply(e); err != nil {
		panic(err)
	}
	c.out = e.append(c.out)
}

// apply makes an event happen.
func (c *Cursor) apply(e event) error {
	switch e.kind {
	case evDelivered:
		return c.delivered(e)
	case evHeld:
		return c.hold(e.sequence, e.key)
	case evMoved:
		if e.sequence < c.told {
			return fmt.Errorf("%w: moved back from %d to %d", ErrDamaged, c.told, e.sequence)
		}
		c.position, c.told = max(c.position, e.sequence), e.sequence
	case evLasted:
		c.position = max(c.position, c.lasts+1)
		c.told, c.lasts = c.position, 0
	case evAcked, evTerminated, evExhausted, evRemoved, evDamaged:
		return c.settle(e)
	case evDelayed, evExtended, evReturned:
		return c.putOff(e)
	case evRewound:
		for sequence := range c.Outstanding() {
			if sequence >= e.sequence {
				return fmt.Errorf("%w: rewound to %d with %d pending", ErrDamaged, e.sequence, sequence)
			}
		}
		c.position, c.told, c.lasts = e.sequence, e.sequence, min(c.lasts, e.sequence-1)
	case evPaused:
		c.paused = e.time
	case evConfig:
		c.config = e.config
	default:
		return fmt.Errorf("%w: event %d", ErrDamaged, e.kind)
	}
	return nil
}

func (c *Cursor) delivered(e event) error {
	p := c.pending[e.sequence]
	switch {
	case p != nil:
		if p.leave(); p.deliveries > 0 {
			c.counts.Redelivered++
		}
	case c.release(e.sequence):
		p = &entry{sequence: e.sequence}
	case e.sequence < c.told:
		return fmt.Errorf("%w: %d was delivered behind the position %d", ErrDamaged, e.sequence, c.told)
	default:
		p = &entry{sequence: e.sequence}
		c.position = max(c.position, e.sequence+1)
		c.told = e.sequence + 1
	}
	c.number++
	if p.first == 0 {
		p.first, p.key = c.number, e.key
		c.pending[e.sequence] = p
	}
	if c.Ordered {
		c.lineOf(p.key).busy = true
	}
	p.deliveries++
	p.last, p.due = c.number, e.time
	c.later.add(p)
	return nil
}

// lineOf returns the line of a key, which it makes if there is none.
func (c *Cursor) lineOf(key uint64) *line {
	l := c.lines[key]
	if l == nil {
		l = &line{}
		c.lines[key] = l
	}
	return l
}

func (c *Cursor) hold(sequence, key uint64) error {
	if sequence < c.told {
		return fmt.Errorf("%w: %d was held behind the position %d", ErrDamaged, sequence, c.told)
	}
	c.position = max(c.position, sequence+1)
	c.told = sequence + 1
	c.queueUp(sequence, key)
	return nil
}

// queueUp puts a message at the end of the line of its key.
func (c *Cursor) queueUp(sequence, key uint64) {
	c.held[sequence] = key
	l := c.lineOf(key)
	if l.waiting = append(l.waiting, sequence); !l.busy && len(l.waiting) == 1 {
		c.free.push(sequence)
	}
}

// release takes a message out of the line of its key. It reports whether it was there.
func (c *Cursor) release(sequence uint64) bool {
	key, held := c.held[sequence]
	if !held {
		return false
	}
	delete(c.held, sequence)
	l := c.lines[key]
	i, _ := slices.BinarySearch(l.waiting, sequence)
	l.waiting = slices.Delete(l.waiting, i, i+1)
	c.proceed(key)
	return true
}

// proceed lets the next message of a key go, if it may.
func (c *Cursor) proceed(key uint64) {
	l := c.lines[key]
	switch {
	case l == nil || l.busy || l.loading:
	case len(l.waiting) > 0:
		c.free.push(l.waiting[0])
	default:
		delete(c.lines, key)
	}
}

func (c *Cursor) settle(e event) error {
	deliveries := uint64(0)
	if p := c.pending[e.sequence]; p != nil {
		p.leave()
		delete(c.pending, e.sequence)
		if deliveries = p.deliveries; c.lines[p.key] != nil {
			c.lines[p.key].busy = false
			c.proceed(p.key)
		}
	} else if !c.release(e.sequence) {
		return fmt.Errorf("%w: %d is settled, and was not pending", ErrDamaged, e.sequence)
	}
	kind := NoticeKind(0)
	switch e.kind {
	case evAcked:
		c.counts.Acked++
	case evTerminated:
		c.counts.Terminated++
		kind = NoticeTerminated
	case evExhausted:
		c.counts.Exhausted++
		kind = NoticeExhausted
	case evRemoved:
		c.counts.Removed++
		kind = NoticeRemoved
	case evDamaged:
		c.counts.Damaged++
		kind = NoticeDamaged
	}
	if kind != 0 {
		c.noticed++
		c.notices = append(c.notices, Notice{c.noticed, kind, e.sequence, deliveries, e.time})
		c.notices = c.notices[max(0, len(c.notices)-mostNotices):]
	}
	return nil
}

func (c *Cursor) putOff(e event) error {
	p := c.pending[e.sequence]
	if p == nil {
		return fmt.Errorf("%w: %d is put off, and was not pending", ErrDamaged, e.sequence)
	}
	switch e.kind {
	case evDelayed:
		c.counts.Delayed++
	case evExtended:
		c.counts.Extended++
	case evReturned:
		if p.deliveries > 0 {
			p.deliveries--
		}
	}
	p.leave()
	p.due = e.time
	c.later.add(p)
	return nil
}
