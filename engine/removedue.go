package engine

import (
	"github.com/seed-d8b58eba/millrace/engine/stamps"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// removeDue removes messages whose time has come, wherever they are, with tombstones. The engine gives itself
// this command, and nobody is answered.
type removeDue struct {
	sequences []uint64
	reason    counter
}

// Size implements Command.
func (*removeDue) Size() (pieces, bytes int) { return 1, 0 }

func (c *removeDue) clone() Command { return c }

func (*removeDue) subjectAhead() string { return "" }

func (c *removeDue) apply(e *Engine, _ any) bool {
	done := e.removeNow(c.sequences, c.reason)
	if e.expiry.removing = !done; done && c.reason == countRemovedTTL {
		e.endedLives(c.sequences)
	}
	return done
}

// removeInOrder removes messages whose time has come, and that are behind others that stay: at once, or when
// the tables for that have come. It reports whether they are gone. If not, it has to be told again.
func (e *Engine) removeInOrder(sequences []uint64, reason counter) bool {
	switch {
	case !e.serving():
		// What MaxMsgsPer evicts has to be gone before, which it is not until the stream serves.
		return !e.perLimited() && e.removeNow(sequences, reason)
	case e.expiry.removing || len(e.parked) > 0 || e.fenced || e.stopped:
		return false
	}
	e.expiry.removing = true // until it is applied: it may have to wait for a purge that is carried out in pieces
	e.Step(nil, &removeDue{sequences, reason})
	return !e.expiry.removing
}

// removeNow removes messages, or reports false when something is missing that it needs.
func (e *Engine) removeNow(sequences []uint64, reason counter) bool {
	var due []match
	ready := true
	for _, sequence := range sequences {
		b := e.blockOf(sequence)
		if b == nil {
			continue
		}
		switch available, unreadable := e.needTable(b, sequence); {
		case unreadable:
			continue // it stays due
		case !available:
			ready = false
			continue
		}
		if t, i, ok := b.record(sequence); ok && e.stillDue(b, t.slot(i), reason) {
			due = append(due, match{b, t, i})
		}
	}
	if !ready {
		return false
	}
	if settled, err := e.perSettled(); !settled {
		return err != nil
	}
	graves, ready, err := e.evictedBefore(due)
	if !ready {
		return err != nil
	}
	if len(due) == 0 {
		return true
	}
	if !e.markersReady(due) {
		return false
	}
	e.protectHead()
	e.traceTogether()
	defer e.traceTogether()
	var marks []Message
	for i := range due {
		m := &due[i]
		if !m.live() {
			continue // the table did not have all that was counted: see loseRest
		}
		graves = append(graves, m.tombstone())
		marks = e.mark(marks, m)
		e.removeAt(m.block, m.table, m.index, reason)
	}
	if len(marks) > 0 {
		e.storeMarkers(marks, graves)
	} else {
		e.writeRemovals(0, graves)
	}
	e.removed()
	return true
}

// stillDue reports whether a message is due for a reason, when what was found due is removed at last.
func (e *Engine) stillDue(b *block, s *slot, reason counter) bool {
	if reason == countRemovedTTL {
		l := b.lives.find(s.sequence)
		return l != nil && l.due <= e.now
	}
	return e.maxAge() > 0 && (s.time <= stamps.Earlier(e.now, e.maxAge()) || s.time > e.now)
}

// traceTogether begins and ends what is removed as one, for tests.
func (e *Engine) traceTogether() {
	if e.expiry.expired != nil && e.serving() {
		e.expiry.expired(0)
	}
}

// evictedBefore is evictedOf for messages of several subjects.
func (e *Engine) evictedBefore(due []match) (graves []Tombstone, ready bool, err error) {
	if !e.holdsEvicted() {
		return nil, true, nil
	}
	seen := make(map[uint32]struct{})
	var names []subject.Pattern
	highest := uint64(0)
	for i := range due {
		m := &due[i]
		id := m.table.subjectOf(e.subjects, m.index)
		if id == noSubject || !e.per.evicted.has(id) {
			continue
		}
		highest = max(highest, m.sequence())
		if _, known := seen[id]; !known {
			seen[id] = struct{}{}
			names = append(names, subject.Literal(string(e.subjects.AppendName(nil, id))))
		}
	}
	if len(names) == 0 {
		return nil, true, nil
	}
	return e.gravesOf(names, highest)
}
