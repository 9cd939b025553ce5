package engine

import (
	"math"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
)

// roomFor applies MaxMsgs and MaxBytes if the stream discards new messages: n of them
// whose records have so many bytes.
func (e *Engine) roomFor(n, bytes int64) error {
	l := &e.cfg.Limits
	if l.Discard != DiscardNew {
		return nil
	}
	if msgs := int64(e.counts[countMessages]) + n; l.MaxMsgs > 0 && msgs > l.MaxMsgs {
		e.counts[countRefusedMsgs]++
		return &LimitError{"messages", msgs, l.MaxMsgs, ErrMaxMsgs}
	}
	return e.roomForBytes(bytes)
}

// roomForBytes applies MaxBytes alone.
func (e *Engine) roomForBytes(bytes int64) error {
	l := &e.cfg.Limits
	if bytes += int64(e.counts[countBytes]); l.MaxBytes > 0 && bytes > l.MaxBytes {
		e.counts[countRefusedBytes]++
		return &LimitError{"bytes", bytes, l.MaxBytes, ErrMaxBytes}
	}
	return nil
}

// roomForOne is roomFor and MaxMsgsPer for one message of a subject that has so much. One that takes the place
// of others is let through where DiscardNewPer would refuse it.
func (e *Engine) roomForOne(bytes int64, before subjectNow, rollsUp bool) error {
	l := &e.cfg.Limits
	if l.Discard != DiscardNew {
		return nil
	}
	if !e.perLimited() || before.count < uint64(l.MaxMsgsPer) {
		return e.roomFor(1, bytes)
	}
	if l.DiscardNewPer && !rollsUp {
		e.counts[countRefusedPer]++
		return &LimitError{"messages of a subject", int64(before.count) + 1, l.MaxMsgsPer, ErrMaxMsgsPerSubject}
	}
	// It takes the place of the oldest one of its subject.
	if old := e.oldestSize(before); old < bytes {
		return e.roomForBytes(bytes)
	}
	return nil
}

// checkHoldable refuses a message whose record is larger than all messages together may be: it would be
// acknowledged, and be gone.
func (e *Engine) checkHoldable(bytes int64) error {
	if most := e.cfg.Limits.MaxBytes; most > 0 && bytes > most {
		e.counts[countRefusedBytes]++
		return &LimitError{"bytes", bytes, most, ErrMaxBytes}
	}
	return nil
}

// checkSize applies MaxMsgSize, and the bounds of the format.
func (e *Engine) checkSize(m *Message) error {
	if n := len(m.Header) + len(m.Payload); e.cfg.Limits.MaxMsgSize > 0 && n > e.cfg.Limits.MaxMsgSize {
		e.counts[countRefusedSize]++
		return &LimitError{"bytes of header and payload", int64(n), int64(e.cfg.Limits.MaxMsgSize), ErrTooLarge}
	}
	if err := e.cfg.Codec.Check(len(m.Subject), len(m.Header), len(m.Payload)); err != nil {
		e.counts[countRefusedSize]++
		return err
	}
	return nil
}

// maxSequence is the first sequence that the format cannot hold: its two
// highest bits are flags.
const maxSequence = uint64(1) << 62

// recordSize returns the length of a message's record.
func (e *Engine) recordSize(m *Message) int {
	return e.cfg.Codec.Size(len(m.Subject), len(m.Header), len(m.Payload))
}

// checkSequence refuses a command whose idea of the next sequence is wrong (wanted is
// 0 when it has none), or that wants more sequences than there are.
func (e *Engine) checkSequence(wanted uint64, p Precondition, n uint64) error {
	last := e.last()
	var err error
	switch {
	case wanted != 0 && wanted != last+1:
		err = &SequenceError{"next sequence", wanted, last + 1}
	case p.HasExpectLast && p.ExpectLast != last:
		err = &SequenceError{expectedLast, p.ExpectLast, last}
	case n >= maxSequence || last+n >= maxSequence:
		err = sequenceTooLarge(last + min(n, math.MaxUint64-last))
	default:
		return nil
	}
	e.counts[countRefusedSequence]++
	return err
}

// stampNow returns the time for new messages, which does not go back when the clock
// does by a little.
func (e *Engine) stampNow() int64 {
	e.stamp = stamps.Next(e.stamp, e.now)
	return e.stamp
}
