package engine_test

import (
	"maps"

	"github.com/seed-d8b58eba/millrace/engine"
)

// truncate takes all messages above a sequence out.
func (m *model) truncate(sequence uint64, r engine.Reply) engine.Reply {
	r.Sequence = sequence
	switch {
	case sequence > m.last:
		r.Err = engine.ErrBeyondLast
		return r
	case sequence == m.last:
		return r
	}
	ev := event{truncates: true, above: sequence, last: sequence, time: engine.NoTime}
	for _, e := range m.live {
		if e.sequence > sequence {
			r.Count++
		} else {
			ev.time = e.time
		}
	}
	if sequence == 0 && m.first > 1 {
		ev.last = m.first - 1
	}
	m.add(ev)
	m.cleared = false
	return r
}

// truncated brings the model up to date when the engine has been handed over.
func (mc *machine) truncated(last uint64) {
	c := mc.submitted[0]
	mc.submitted = mc.submitted[1:]
	mc.expected, mc.after = append(mc.expected, mc.m.apply(c, mc.now)), append(mc.after, len(mc.m.log))
	mc.renewed()
	mc.m.forgetIDsAbove(last)
	mc.shown, mc.between = mc.snapshot(), nil
	mc.committing, mc.held = mc.shown, false
	mc.caps = append(mc.caps, engine.Reply{Tag: c.tag, Sequence: mc.m.last})
	mc.acked, mc.flushed, mc.written = mc.cap(mc.acked), mc.cap(mc.flushed), mc.cap(mc.written)
}

// renewed notes in the model what a new engine does differently.
func (mc *machine) renewed() {
	if mc.m.time == 0 {
		// A record without a message that shows the last sequence has time 0 then, and is taken for an erased one, whose
		// time another record has, if any.
		mc.m.time = mc.pub.State().LastTime
	}
	mc.m.stamp, mc.m.ended, mc.m.cleared = mc.m.time, false, false
	mc.m.expireGone(mc.shell, mc.now)
	mc.m.expireLike(mc.shell)
	mc.left = nil
	mc.followFromHere()
}

// isCut reports whether a recovered stream is what the truncation that is out leaves.
func (mc *machine) isCut(s *shell) bool {
	t := mc.cutting
	if t == nil {
		return false
	}
	p := mc.m.clone()
	p.truncate(t.Last, engine.Reply{})
	return mc.compareOpened(s, p) == nil
}

// forgetIDsAbove forgets the ids of messages whose sequences others will get. Those of removed ones stay known.
func (m *model) forgetIDsAbove(last uint64) {
	maps.DeleteFunc(m.ids, func(_ string, sequence uint64) bool { return sequence > last })
}
