package engine

import (
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// A message of a batch may take the place of those of its subject: of those from before the batch, and of those
// before it in the batch. That of all messages only the first one of a batch may take. All of it is in one frame, as
// the batch is: what goes from before it, its messages, and the tombstones of those that later ones replace.

// rollups returns what the messages of a batch take the place of, nil when none does so of any.
func (c *StoreBatch) rollups(e *Engine) (kinds []Rollup, err error) {
	for i := range c.Messages {
		kind, err := e.rollupOf(&c.Messages[i])
		if err == nil && kind == RollupAll && i > 0 {
			err = ErrRollupInBatch
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("message %d of the batch: %w", i, err)
		case kind != RollupNone && kinds == nil:
			kinds = make([]Rollup, len(c.Messages))
			kinds[i] = kind
		case kind != RollupNone:
			kinds[i] = kind
		}
	}
	return kinds, nil
}

// rollsUpAll reports whether everything from before the batch goes.
func rollsUpAll(kinds []Rollup) bool { return len(kinds) > 0 && kinds[0] == RollupAll }

// prepareRollups is prepareRollup for the messages of a batch: it finds what goes from before it.
func (e *Engine) prepareRollups(kinds []Rollup, messages []Message) (r rollup, ready bool, err error) {
	switch {
	case rollsUpAll(kinds):
		return e.prepareRollup(RollupAll, &messages[0])
	case kinds == nil || e.counts[countMessages] == 0 && !e.perLimited():
		return rollup{}, true, nil
	}
	if settled, err := e.perSettled(); !settled {
		return r, false, err
	}
	r.kind = RollupSubject
	var patterns []subject.Pattern
	outcome, withoutAny := gatheredAll, false
	for i := range kinds {
		switch {
		case kinds[i] == RollupNone:
		case messages[i].Subject == "":
			withoutAny = true
		default:
			patterns = append(patterns, subject.Literal(messages[i].Subject))
		}
	}
	if withoutAny {
		everything := subject.Everything()
		r.live, outcome = e.gather(&everything, 1, maxSequence, false)
		r.live = withoutSubject(e, r.live)
	}
	if len(patterns) > 0 {
		set := subject.NewSet(patterns...)
		list, state := e.gather(&set, 1, maxSequence, e.holdsEvicted())
		live, dead := selectMatches(list, 0, 0)
		r.live, r.dead, outcome = append(r.live, live...), dead, max(outcome, state)
	}
	switch outcome {
	case gatheredSome:
		return r, false, nil
	case unreadableBlock:
		return r, false, e.findError()
	}
	return r, true, nil
}

// replaced are the messages of a batch so far, by subject.
type replaced map[string][]Tombstone

// rollUpBatch removes the messages of the batch so far that one of the same subject takes the place of. The limit
// of the subject may have evicted some: they get tombstones, too, as they would be back with the room that there is now.
func (e *Engine) rollUpBatch(earlier []Tombstone) {
	b := e.tail
	e.notices.as = NoticePurged
	for _, t := range earlier {
		if b.live(t.Sequence) {
			e.removeAt(b, b.appended, b.appended.Search(t.Sequence), countRemovedRequest)
		}
	}
	e.notices.as = 0
	e.removed()
}

// store appends the messages of a batch that was admitted, and what they take the place of goes.
func (c *StoreBatch) store(e *Engine, total int, time int64, kinds []Rollup, r *rollup) {
	var before replaced
	if kinds != nil {
		before = make(replaced, len(c.Messages))
		total += len(c.Messages) * e.emptySize // tombstones of its own messages
	}
	graves := e.rollUp(r, total)
	for i := range c.Messages {
		m := &c.Messages[i]
		if kinds != nil && kinds[i] != RollupNone {
			e.rollUpBatch(before[m.Subject])
			graves = append(graves, before[m.Subject]...)
			delete(before, m.Subject)
		}
		size := e.recordSize(m)
		var now subjectNow
		if e.perLimited() && m.Subject != "" {
			now = e.subjectNow(m.Subject)
		}
		id := e.add(m, e.last()+1, time, size)
		e.enforcePer(id, now, e.last(), size)
		if kinds != nil {
			before[m.Subject] = append(before[m.Subject], Tombstone{e.last(), time})
		}
	}
	if len(graves) > 0 {
		e.buryReplaced(graves)
	}
}

// buryReplaced writes tombstones behind the messages that take the place of others: into their frame, as far as
// that goes.
func (e *Engine) buryReplaced(graves []Tombstone) {
	for part := range slices.Chunk(graves, mostTombstones) {
		if &part[0] != &graves[0] {
			e.roll()
		}
		for _, t := range part {
			e.openFrame(e.emptySize)
			e.entombed(t)
		}
	}
}
