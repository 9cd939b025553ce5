package engine

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound: no live message has this sequence, and none will have it.
	ErrNotFound = errors.New("there is no such message")
	// ErrBeyondLast: the sequence is above the last one.
	ErrBeyondLast = errors.New("the sequence is above the last one")
	// ErrUnreadable: what the command needs to know cannot be read from the disk at the
	// moment. Nothing was changed.
	ErrUnreadable = errors.New("the disk cannot be read there at the moment")
)

// Remove removes one message. The reply counts 1, or 0 when it was removed already.
type Remove struct{ Sequence uint64 }

// Size implements Command.
func (*Remove) Size() (pieces, bytes int) { return 1, 0 }

func (c *Remove) clone() Command { own := *c; return &own }

func (*Remove) subjectAhead() string { return "" }

func (c *Remove) apply(e *Engine, tag any) bool {
	b := e.blockOf(c.Sequence)
	if b == nil {
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: c.absent(e)})
		return true
	}
	switch available, unreadable := e.needTable(b, c.Sequence); {
	case unreadable:
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: fmt.Errorf("%w: message %d", ErrUnreadable, c.Sequence)})
		return true
	case !available:
		return false
	}
	t, i, ok := b.record(c.Sequence)
	if !ok {
		// The block was read again and does not have the message: it has been told lost.
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: fmt.Errorf("%w: sequence %d", ErrNotFound, c.Sequence)})
		return true
	}
	if settled, err := e.perSettled(); !settled {
		return e.refuseUnreadable(tag, err)
	}
	graves, ready, err := e.evictedOf(t.subjectOf(e.subjects, i), c.Sequence)
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	e.protectHead()
	time := t.slot(i).time
	e.removeAt(b, t, i, countRemovedRequest)
	if len(graves) == 0 {
		e.tombstone(c.Sequence, time)
	} else {
		e.writeRemovals(0, append(graves, Tombstone{c.Sequence, time}))
	}
	e.removed()
	e.current.reply(Reply{Tag: tag, Sequence: c.Sequence, Count: 1})
	return true
}

// absent says why there is no live message of the sequence; it is nil when one was removed that is not
// before the first.
func (c *Remove) absent(e *Engine) error {
	switch first, last := e.counts[countFirst], e.last(); {
	case c.Sequence > last:
		return fmt.Errorf("%w: %d, the last is %d", ErrBeyondLast, c.Sequence, last)
	case c.Sequence < first || e.counts[countMessages] == 0:
		return fmt.Errorf("%w: %d, the first is %d", ErrNotFound, c.Sequence, first)
	}
	return nil
}
