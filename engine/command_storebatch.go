package engine

import "fmt"

// StoreBatch appends all of its messages or none of them, also across a crash. They
// are in one frame of one block.
type StoreBatch struct {
	Messages []Message
	Precondition
}

// Size implements Command.
func (c *StoreBatch) Size() (pieces, bytes int) {
	for i := range c.Messages {
		bytes += c.Messages[i].size()
	}
	return 1 + len(c.Messages), bytes
}

func (c *StoreBatch) clone() Command {
	own := &StoreBatch{make([]Message, len(c.Messages)), c.Precondition}
	for i := range c.Messages {
		own.Messages[i] = c.Messages[i].clone()
	}
	return own
}

func (*StoreBatch) subjectAhead() string { return "" }

func (c *StoreBatch) apply(e *Engine, tag any) bool {
	total, plain := c.measure(e)
	if !plain {
		if c.answerDuplicate(e, tag) {
			return true
		}
		if ready, err := c.schedulesReady(e); !ready {
			return e.refuseUnreadable(tag, err)
		}
	}
	if e.perLimited() {
		for i := range c.Messages {
			if _, ready, err := e.perReady(c.Messages[i].Subject, c.count(i)); !ready {
				return e.refuseUnreadable(tag, err)
			}
		}
	}
	kinds, err := c.admit(e, total, plain)
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if !plain {
		if ready, err := e.checkExpected(c.Messages, rollsUpAll(kinds)); !ready || err != nil {
			return e.refuseUnreadable(tag, err)
		}
	}
	if !e.tablesReady(uint64(len(c.Messages)), uint64(total)) {
		return false
	}
	r, ready, err := e.prepareRollups(kinds, c.Messages)
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	time, first := e.stampNow(), e.last()+1
	e.beforePer()
	c.store(e, total, time, kinds, &r)
	e.enforce()
	if e.noting() {
		e.noteOrder(first)
	}
	e.current.reply(Reply{Tag: tag, Sequence: e.last(), Count: len(c.Messages), Time: time})
	return true
}

// measure returns the bytes of the batch's records, and whether all of its messages are plain.
func (c *StoreBatch) measure(e *Engine) (total int, plain bool) {
	plain = true
	for i := range c.Messages {
		total += e.recordSize(&c.Messages[i])
		plain = plain && c.Messages[i].plain()
	}
	return total, plain
}

// admit decides whether the batch may enter, whose records have so many bytes, and returns what they take the
// place of. A refusal changes nothing.
func (c *StoreBatch) admit(e *Engine, total int, plain bool) (kinds []Rollup, err error) {
	if len(c.Messages) == 0 {
		return nil, ErrEmptyBatch
	}
	if !plain {
		if kinds, err = c.rollups(e); err != nil {
			return nil, err
		}
	}
	if err := c.room(e, int64(total), kinds); err != nil {
		return nil, err
	}
	for i := range c.Messages {
		if e.cfg.Limits.MaxBytes > 0 {
			if err := e.checkHoldable(int64(e.recordSize(&c.Messages[i]))); err != nil {
				return nil, err
			}
		}
		if err := e.checkSize(&c.Messages[i]); err != nil {
			return nil, err
		}
		if plain {
			continue
		}
		if err := e.checkLife(&c.Messages[i]); err != nil {
			return nil, fmt.Errorf("message %d of the batch: %w", i, err)
		}
	}
	if total > MaxBatchBytes {
		e.counts[countRefusedSize]++
		return nil, &LimitError{"bytes of a batch", int64(total), MaxBatchBytes, ErrTooLarge}
	}
	return kinds, e.checkSequence(0, c.Precondition, uint64(len(c.Messages)))
}

// count returns how many messages of the subject of message i the batch has, up to that one.
func (c *StoreBatch) count(i int) (n uint64) {
	if len(c.Messages) > manyInBatch {
		return uint64(len(c.Messages)) // at most
	}
	for k := range c.Messages[:i+1] {
		if c.Messages[k].Subject == c.Messages[i].Subject {
			n++
		}
	}
	return n
}

// manyInBatch is from where on the messages of a subject in a batch are not counted one by one.
const manyInBatch = 256

// room applies the limits if the stream discards new messages.
func (c *StoreBatch) room(e *Engine, bytes int64, kinds []Rollup) error {
	l := &e.cfg.Limits
	switch {
	case l.Discard != DiscardNew:
		return nil
	case len(c.Messages) == 1 && c.Messages[0].Subject != "" && e.perLimited():
		return e.roomForOne(bytes, e.subjectNow(c.Messages[0].Subject), kinds != nil)
	case !e.perLimited():
		return e.roomFor(int64(len(c.Messages)), bytes)
	}
	counts := make(map[string]uint64)
	since := make(map[string]uint64) // the last message that takes the place of others, with it
	more := int64(0)                 // messages that take no other one's place
	for i := range c.Messages {
		name := c.Messages[i].Subject
		if name == "" {
			more++
			continue
		}
		if _, known := counts[name]; !known {
			counts[name] = e.subjectNow(name).count
		}
		have := counts[name] + 1
		counts[name] = have
		if have <= uint64(l.MaxMsgsPer) {
			more++
		}
		if kinds != nil && kinds[i] != RollupNone {
			since[name] = 1
		} else if n, rolled := since[name]; rolled || rollsUpAll(kinds) {
			since[name] = n + 1
		}
		if n, rolled := since[name]; rolled {
			have = n
		}
		if l.DiscardNewPer && have > uint64(l.MaxMsgsPer) {
			e.counts[countRefusedPer]++
			return &LimitError{"messages of a subject", int64(have), l.MaxMsgsPer, ErrMaxMsgsPerSubject}
		}
	}
	if more == 0 {
		return e.roomForBytes(bytes)
	}
	return e.roomFor(more, bytes)
}
