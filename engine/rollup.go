package engine

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Rollup says which messages a message takes the place of. It is stored and they are removed in one frame of one
// block, so that a crash leaves all of it or nothing; only of more than a million messages of a subject it may
// leave some, behind the message.
type Rollup uint8

const (
	// RollupNone: of none.
	RollupNone Rollup = iota
	// RollupSubject: of all of its subject; of all without a subject when it has none.
	RollupSubject
	// RollupAll: of all of the stream.
	RollupAll
)

var (
	// ErrBadHeader: a header that means something to the stream has a value that it cannot have.
	ErrBadHeader = errors.New("invalid header")
	// ErrRollupInBatch: a message of a batch that is not the first one cannot take the place of all others, nor can
	// any end a schedule.
	ErrRollupInBatch = errors.New("only the first message of a batch can take the place of all messages")
)

// rollupOf returns what a message takes the place of. Its header counts if the configuration says so.
func (e *Engine) rollupOf(m *Message) (Rollup, error) {
	if e.isSchedule(m) {
		return rollupOfSchedule(m)
	}
	if m.Rollup != RollupNone || !e.cfg.RollupHeaders || len(m.Header) == 0 {
		return m.Rollup, nil
	}
	value, _ := msgheader.Find(m.Header, msgheader.Rollup)
	kind, err := msgheader.ParseRollup(value)
	if err != nil {
		return RollupNone, fmt.Errorf("%w: %w", ErrBadHeader, err)
	}
	return [...]Rollup{msgheader.RollupNone: RollupNone, msgheader.RollupSubject: RollupSubject, msgheader.RollupAll: RollupAll}[kind], nil
}

// rollup is what a message that was admitted takes the place of.
type rollup struct {
	kind       Rollup
	live, dead []match    // of the subject
	all        compaction // of the stream
}

// prepareRollup finds what a message takes the place of. It reports false when that has to be looked up or, with
// an error, cannot be.
func (e *Engine) prepareRollup(kind Rollup, m *Message) (r rollup, ready bool, err error) {
	r.kind = kind
	if kind == RollupNone || e.counts[countMessages] == 0 && !e.perLimited() {
		return rollup{}, true, nil
	}
	if settled, err := e.perSettled(); !settled {
		return r, false, err
	}
	var outcome gathered
	switch {
	case kind == RollupAll:
		r.all, outcome = e.prepareCompaction(e.last() + 1)
	case m.Subject == "":
		set := subject.Everything()
		r.live, outcome = e.gather(&set, 1, maxSequence, false)
		r.live = withoutSubject(e, r.live)
	default:
		r.live, r.dead, outcome = e.gatherSubject(m.Subject)
	}
	switch outcome {
	case gatheredSome:
		return r, false, nil
	case unreadableBlock:
		return r, false, e.findError()
	}
	return r, true, nil
}

// withoutSubject returns those matches whose messages have no subject.
func withoutSubject(e *Engine, list []match) (kept []match) {
	for _, m := range list {
		if m.table.subjectOf(e.subjects, m.index) == noSubject {
			kept = append(kept, m)
		}
	}
	return kept
}

// rollUp removes what a message, or a batch, of so many bytes takes the place of, and begins the frame into which it
// has to go next, before the tombstones that are returned.
func (e *Engine) rollUp(r *rollup, size int) (graves []Tombstone) {
	switch {
	case r.kind == RollupAll && e.counts[countMessages] > 0:
		// In a block of its own: a nats-server, which knows no floor, sees the old ones gone with their files.
		e.roll()
		e.compactNow(&r.all, NoticePurged)
	case r.kind == RollupSubject && len(r.live) > 0:
		e.protectHead()
		for i := range r.dead {
			graves = append(graves, r.dead[i].tombstone())
		}
		e.sumNotices()
		for i := range r.live {
			m := &r.live[i]
			graves = append(graves, m.tombstone())
			e.removeAt(m.block, m.table, m.index, countRemovedRequest)
		}
		e.summedNotices(NoticePurged, true)
		e.removed()
		if e.full(size + min(len(graves), mostTombstones)*e.emptySize) {
			e.roll()
		}
	case e.full(size):
		e.roll()
	}
	return graves
}

// storeRollup appends a message that was admitted, and answers its command.
func (e *Engine) storeRollup(tag any, m *Message, time int64, size int, r *rollup) {
	e.beforePer()
	graves := e.rollUp(r, size)
	var before subjectNow
	if e.perLimited() && m.Subject != "" {
		before = e.subjectNow(m.Subject)
	}
	sequence := e.last() + 1
	id := e.add(m, sequence, time, size)
	if len(graves) > 0 {
		e.buryReplaced(graves)
	}
	e.enforcePer(id, before, sequence, size)
	e.enforce()
	e.current.reply(Reply{Tag: tag, Sequence: sequence, Count: 1, Time: time})
}
