package engine

import "slices"

// noticeSum is the one notice of a call that removes its messages in several groups. What each of them has removed
// is added when it is published, and the sum is told with the last one. It is told before, as far as it has come, to
// all who are there when somebody else begins to take notices, whose first one says what there is then; and when the
// engine fails, since the engine that takes over tells of the difference to what readers were shown.
type noticeSum struct {
	reason          NoticeReason
	removals        uint64
	messages, bytes int64
	sequence        uint64 // and subject: of the message when it is one
	subject         string
}

// notice is the sum as far as it has come.
func (p *noticeSum) notice() Notice {
	n := Notice{Reason: p.reason, Messages: p.messages, Bytes: p.bytes}
	if p.removals == 1 {
		n.Sequence, n.Subject = p.sequence, p.subject
	}
	return n
}

// summedPart ends a sum (see sumNotices) that is a part of another.
func (e *Engine) summedPart(p *noticeSum) {
	x := &e.notices
	x.summing = false
	if !e.noting() || x.summed == 0 {
		return
	}
	n := *x.sum
	x.sum = nil
	if n.part = p; x.summed > 1 {
		n.Sequence, n.subject = 0, noSubject
	}
	n.Joined = uint64(x.summed)
	e.current.notices = append(e.current.notices, n)
}

// noteSummed notes that nothing is added to a sum any more.
func (e *Engine) noteSummed(p *noticeSum) {
	if !e.noting() {
		return
	}
	end := stagedNotice{Notice{}, noSubject, p}
	switch {
	case e.current.staged():
		e.current.notices = append(e.current.notices, end)
	case e.inflight != nil && (e.cfg.Level != SyncNever || e.inflight.held):
		e.inflight.notices = append(e.inflight.notices, end)
	default:
		e.notices.out = e.takePart(e.notices.out, p, end.Notice)
	}
}

// takePart adds a part that is published to its sum, or, when it is the end of that, the sum to a list of notices.
func (e *Engine) takePart(out []Notice, p *noticeSum, n Notice) []Notice {
	x := &e.notices
	if n.Joined > 0 {
		if p.removals == 0 {
			x.parts = append(x.parts, p)
		}
		p.removals += n.Joined
		p.messages, p.bytes, p.sequence, p.subject = p.messages+n.Messages, p.bytes+n.Bytes, n.Sequence, n.Subject
		return out
	}
	if i := slices.Index(x.parts, p); i >= 0 {
		x.parts = slices.Delete(x.parts, i, i+1)
		out = append(out, p.notice())
	}
	return out
}

// appendParts adds to a list of notices the sums that have not come to their end, as far as they have.
func (e *Engine) appendParts(out []Notice) []Notice {
	for _, p := range e.notices.parts {
		out = append(out, p.notice())
		p.removals, p.messages, p.bytes = 0, 0, 0
	}
	e.notices.parts = nil
	return out
}

// tellParts tells the sums that have not come to their end.
func (e *Engine) tellParts() { e.notices.out = e.appendParts(e.notices.out) }
