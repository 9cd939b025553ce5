package engine

import (
	"cmp"
	"math"
)

// Join returns limits under which no message goes that does not go under both: what a
// stream has while it passes from the ones to the others. Nothing that only one of them
// takes away is lost when the change does not come about, and nothing comes back when it does.
func (l Limits) Join(next Limits) Limits {
	j := next
	switch {
	case l.Discard == next.Discard:
		j.MaxMsgs, j.MaxBytes = laxer(l.MaxMsgs, next.MaxMsgs), laxer(l.MaxBytes, next.MaxBytes)
	case l.Discard == DiscardNew: // which removes nothing
		j.Discard, j.MaxMsgs, j.MaxBytes = DiscardNew, l.MaxMsgs, l.MaxBytes
	}
	j.MaxAge, j.MaxMsgsPer = laxer(l.MaxAge, next.MaxAge), laxer(l.MaxMsgsPer, next.MaxMsgsPer)
	j.MarkerTTL = l.MarkerTTL // while these are stored
	if l.marks() != next.marks() {
		j.MaxAge = 0 // with markers nothing goes for its age when the stream is opened
	}
	if l.MsgTTL != next.MsgTTL {
		j.MsgTTL = TTLSpares
	}
	return j
}

// Brings reports whether messages that these limits have removed could be back when the
// stream is opened with others, unless it is written in the log that they are gone.
func (l Limits) Brings(next Limits) bool {
	return l.evicts() && (l.raisedBy(next) || l.laxerPer(next) || next.laxerPer(l))
}

// raisedBy reports whether others leave more at the head of the stream.
func (l Limits) raisedBy(next Limits) bool {
	return l.evictsAt(l.MaxMsgs) < next.evictsAt(next.MaxMsgs) || l.evictsAt(l.MaxBytes) < next.evictsAt(next.MaxBytes) ||
		bound(l.MaxAge) < bound(next.MaxAge) || l.MaxAge > 0 && (l.MsgTTL == TTLOff && next.MsgTTL != TTLOff || !l.marks() && next.marks())
}

// laxerPer reports whether others leave more messages of a subject.
func (l Limits) laxerPer(next Limits) bool { return bound(l.MaxMsgsPer) < bound(next.MaxMsgsPer) }

// evictsAt returns from which number on MaxMsgs or MaxBytes, which is given, removes messages.
func (l Limits) evictsAt(limit int64) int64 {
	if l.Discard == DiscardNew {
		return math.MaxInt64
	}
	return bound(limit)
}

// bound returns a limit as a number that larger limits are above.
func bound[T ~int64](limit T) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// laxer returns the limit that allows more.
func laxer[T ~int64](a, b T) T {
	if cmp.Less(bound(a), bound(b)) {
		return b
	}
	return a
}
