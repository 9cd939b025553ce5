package engine_test

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// removeAll takes messages out, as one event, and answers with their number.
func (m *model) removeAll(sequences []uint64, r engine.Reply) engine.Reply {
	if len(sequences) > 0 {
		m.add(event{removed: sequences, last: m.last, time: m.time})
	}
	r.Sequence, r.Count = m.last, len(sequences)
	return r
}

func (m *model) remove(c *engine.Remove, r engine.Reply) engine.Reply {
	r.Sequence = c.Sequence
	i := slices.IndexFunc(m.live, func(e entry) bool { return e.sequence == c.Sequence })
	switch {
	case i >= 0:
		r = m.removeAll([]uint64{c.Sequence}, r)
		r.Sequence = c.Sequence
	case c.Sequence > m.last:
		r.Err = engine.ErrBeyondLast
	case len(m.live) == 0 || c.Sequence < m.live[0].sequence:
		r.Err = engine.ErrNotFound
	}
	return r
}

func (m *model) purge(c *engine.Purge, r engine.Reply) engine.Reply {
	all := c.Filter == nil || c.Filter.All()
	if c.Sequence == 1 {
		return r
	}
	if all && c.Sequence > 1 {
		return m.compact(c.Sequence, r)
	}
	if r = m.removeAll(m.selected(c, m.last), r); m.last == 0 && all && c.Keep == 0 {
		m.cleared = true
	}
	return r
}

func (m *model) compact(below uint64, r engine.Reply) engine.Reply {
	if below == 0 {
		return m.purge(&engine.Purge{}, r)
	}
	var gone []uint64
	for _, e := range m.live {
		if e.sequence < below {
			gone = append(gone, e.sequence)
		}
	}
	if below <= m.last {
		return m.removeAll(gone, r)
	}
	if m.last == 0 && below == 1 {
		m.cleared = true
	} else if below > m.last+1 || len(gone) > 0 {
		m.add(event{removed: gone, last: below - 1, time: m.time})
	}
	r.Sequence, r.Count = m.last, len(gone)
	return r
}

// hasRemoved reports whether a command has ever removed a message, or changed the limits.
func (m *model) hasRemoved() bool {
	return slices.ContainsFunc(m.log, func(ev event) bool { return len(ev.removed) > 0 || ev.truncates || ev.limits != nil })
}

// ofSubject returns the live messages of a subject.
func (m *model) ofSubject(name string) (list []entry) {
	for _, e := range m.live {
		if e.subject == name {
			list = append(list, e)
		}
	}
	return list
}

// enforcePer removes the oldest messages of a subject that has more than it may have.
func (m *model) enforcePer(name string) {
	per := int(m.limits.MaxMsgsPer)
	if per <= 0 || name == "" {
		return
	}
	list := m.ofSubject(name)
	for ; len(list) > per; list = list[1:] {
		m.live = slices.DeleteFunc(m.live, func(e entry) bool { return e.sequence == list[0].sequence })
	}
}

// refusalPer applies MaxMsgsPer where new messages are discarded. A single message that takes the place of an
// old one needs no room of its own: n and bytes are what still counts.
func (m *model) refusalPer(messages []engine.Message, n, bytes *int) error {
	per := int(m.limits.MaxMsgsPer)
	if per <= 0 {
		return nil
	}
	counts, since, all := map[string]int{}, map[string]int{}, false
	for _, msg := range messages {
		all = all || msg.Rollup == engine.RollupAll
		if msg.Subject == "" {
			continue
		}
		if counts[msg.Subject] == 0 {
			counts[msg.Subject] = len(m.ofSubject(msg.Subject))
		}
		counts[msg.Subject]++
		have := counts[msg.Subject]
		if _, rolled := since[msg.Subject]; rolled || all || msg.Rollup != engine.RollupNone {
			if since[msg.Subject]++; msg.Rollup != engine.RollupNone {
				since[msg.Subject] = 1
			}
			have = since[msg.Subject]
		}
		if m.limits.DiscardNewPer && have > per {
			return engine.ErrMaxMsgsPerSubject
		}
		if counts[msg.Subject] > per {
			*n--
		}
	}
	if len(messages) != 1 || messages[0].Subject == "" {
		return nil
	}
	if old := m.ofSubject(messages[0].Subject); len(old) >= per {
		if *n = 0; old[0].size() >= *bytes {
			*bytes = 0
			if m.limits.MaxBytes > 0 && m.bytes() > int(m.limits.MaxBytes) {
				*bytes = int(m.limits.MaxBytes) - m.bytes()
			}
		}
	}
	return nil
}
