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
	var matching []uint64
	for _, e := range m.live {
		if all || c.Filter.Match([]byte(e.subject)) && e.subject != "" {
			matching = append(matching, e.sequence)
		}
	}
	if c.Keep > 0 {
		matching = matching[:max(0, len(matching)-int(min(c.Keep, 1<<20)))]
	}
	if c.Sequence > 1 {
		matching = slices.DeleteFunc(matching, func(sequence uint64) bool { return sequence >= c.Sequence })
	}
	if r = m.removeAll(matching, r); m.last == 0 && all && c.Keep == 0 {
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
	if below > m.last+1 || len(gone) > 0 {
		m.add(event{removed: gone, last: below - 1, time: m.time})
	}
	r.Sequence, r.Count = m.last, len(gone)
	return r
}

// hasRemoved reports whether a command has ever removed a message.
func (m *model) hasRemoved() bool {
	return slices.ContainsFunc(m.log, func(ev event) bool { return len(ev.removed) > 0 })
}
