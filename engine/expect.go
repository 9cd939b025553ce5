package engine

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// ExpectedLast refuses a message, with ErrSequenceMismatch, unless the last message of a subject, or of those
// that a filter selects, has a sequence. Removed messages do not count. It is looked at when the turn of the
// message comes: in a batch, with the messages before it in the batch stored already.
type ExpectedLast struct {
	Stream   bool         // the last sequence of the stream counts, and nothing else
	Filter   *subject.Set // nil: Subject alone counts
	Subject  string       // byte for byte; the empty one stands for every message, as in a filter
	Sequence uint64       // 0: there is to be no message
}

func (x *ExpectedLast) clone() ExpectedLast {
	return ExpectedLast{x.Stream, x.Filter, strings.Clone(x.Subject), x.Sequence}
}

// selects reports whether a message of a subject counts.
func (x *ExpectedLast) selects(name string) bool {
	switch {
	case x.all():
		return true
	case name == "":
		return false
	case x.Filter == nil:
		return x.Subject == name
	}
	return x.Filter.Match([]byte(name))
}

// all reports whether every message counts.
func (x *ExpectedLast) all() bool {
	return x.Filter == nil && x.Subject == "" || x.Filter != nil && x.Filter.All()
}

// what names what was expected in an error.
func (x *ExpectedLast) what() string {
	switch {
	case x.Stream:
		return expectedLast
	case x.Filter == nil:
		return fmt.Sprintf("%s of subject %q", expectedLast, x.Subject)
	}
	return expectedLast + " of filter " + filterText(x.Filter)
}

const expectedLast = "expected last sequence"

// checkExpected refuses messages that expect something else of subjects than what is there when their turn
// comes. With alone, everything from before them is gone once the first one is stored. ready is false, without an
// error, when something has to be looked up; with one it cannot be.
func (e *Engine) checkExpected(messages []Message, alone bool) (ready bool, err error) {
	if !expectAny(messages) {
		return true, nil
	}
	var batch map[string]uint64 // the last sequences of subjects in the batch so far
	if expectAny(messages[1:]) {
		batch = make(map[string]uint64)
	}
	ready = true
	for i := range messages {
		m := &messages[i]
		for k := range m.Expect {
			x := &m.Expect[k]
			have, outcome := lastInBatch(batch, x), gatheredAll
			switch {
			case x.Stream:
				have = e.last() + uint64(i)
			case have == 0 && (i == 0 || !alone):
				have, outcome = e.lastOf(x)
			}
			switch {
			case outcome == unreadableBlock:
				return false, e.findError()
			case outcome == gatheredSome:
				ready = false // the rest is asked for, too
			case ready && have != x.Sequence:
				e.counts[countRefusedSequence]++
				return true, &SequenceError{x.what(), x.Sequence, have}
			}
		}
		if batch != nil {
			batch[m.Subject] = e.last() + 1 + uint64(i)
		}
	}
	return ready, nil
}

// checkExpectedOfOne is checkExpected for one message, which mostly expects nothing.
func (e *Engine) checkExpectedOfOne(m *Message) (ready bool, err error) {
	if len(m.Expect) == 0 {
		return true, nil
	}
	return e.checkExpected([]Message{*m}, false)
}

// expectAny reports whether one of some messages expects something of subjects.
func expectAny(messages []Message) bool {
	for i := range messages {
		if len(messages[i].Expect) > 0 {
			return true
		}
	}
	return false
}

// lastInBatch returns the last sequence that counts among those of the batch so far, 0 when there is none.
func lastInBatch(batch map[string]uint64, x *ExpectedLast) (last uint64) {
	if x.Filter == nil && x.Subject != "" {
		return batch[x.Subject]
	}
	for name, sequence := range batch {
		if sequence > last && x.selects(name) {
			last = sequence
		}
	}
	return last
}

// lastOf returns the sequence of the last live message that counts, staged groups included; 0 when there is
// none. It costs as much as there are subjects that the filter selects, and mostly no more: the subject index
// knows the last message of each, unless that was removed.
func (e *Engine) lastOf(x *ExpectedLast) (last uint64, outcome gathered) {
	if x.all() {
		return e.lastLive(), gatheredAll
	}
	e.track()
	s := lastSearch{e: e, low: math.MaxUint64}
	filter := x.Filter
	if filter == nil {
		if id, ok := e.subjects.Lookup(x.Subject); ok {
			info, _ := e.subjects.Info(id)
			s.subject(id, info)
		}
	} else {
		s.subjects(filter)
	}
	if s.high <= s.exact {
		return s.exact, gatheredAll
	}
	if filter == nil {
		set := subject.NewSet(subject.Literal(x.Subject))
		filter = &set
	}
	last, outcome = e.newest(filter, max(s.low, s.exact+1), s.high)
	return max(last, s.exact), outcome
}

// lastLive returns the sequence of the last live message of the stream, 0 when there is none.
func (e *Engine) lastLive() uint64 {
	for i := len(e.blocks) - 1; i >= 0; i-- {
		if b := e.blocks[i]; b.msgs > 0 {
			return b.deleted.settled().liveBefore(b.last)
		}
	}
	return 0
}

// lastSearch looks for the last message of subjects in what the index and the staged groups know.
type lastSearch struct {
	e     *Engine
	exact uint64 // the last message that is known, 0 when there is none
	// From low to high there may be one that is not known, if high is above exact.
	low, high uint64
}

// subjects looks at all subjects that a filter selects.
func (s *lastSearch) subjects(filter *subject.Set) {
	e := s.e
	e.subjects.Tree().Walk(filter, func(_ []byte, info subjects.Info) bool {
		s.subject(info.ID, info)
		return true
	})
	var name []byte
	for id, d := range e.staging.deltas {
		if d.stored == [2]uint32{} {
			continue
		}
		if info, counted := e.subjects.Info(id); !counted && e.subjects.Known(id) {
			if name = e.subjects.AppendName(name[:0], id); filter.Match(name) {
				s.subject(id, info)
			}
		}
	}
}

// subject looks at one subject, of which the index knows info.
func (s *lastSearch) subject(id uint32, info subjects.Info) {
	e := s.e
	d := e.staging.deltas[id]
	count := info.Count + uint64(d.stored[0]) + uint64(d.stored[1]) - uint64(d.removed[0]) - uint64(d.removed[1])
	last := max(info.Last, d.last) // no message of the subject comes behind it
	switch {
	case count == 0 || last <= s.exact:
	case (info.LastExact || d.last == last) && e.blockOf(last) != nil:
		s.exact = last
	default:
		s.low, s.high = min(s.low, info.First), max(s.high, last)
	}
}

// newest returns the sequence of the newest live message from low to high that a filter selects, 0 when there
// is none. It looks from the newest block on, at a few of them at a time where that takes the shell.
func (e *Engine) newest(filter *subject.Set, low, high uint64) (sequence uint64, outcome gathered) {
	g := gatherer{e: e, filter: filter, ids: make(map[uint32]bool)}
	asked := 0
	for i := len(e.blocks) - 1; i >= 0 && asked < mostNewest; i-- {
		b := e.blocks[i]
		if b.last < low {
			break
		}
		if b.msgs == 0 || b.firstLive > high {
			continue
		}
		from := max(low, b.firstLive)
		if asked == 0 && b.appended != nil {
			if sequence := g.newest(b, b.appended, from, high); sequence > 0 {
				return sequence, gatheredAll
			}
		}
		if from >= b.tailFrom || b.scannedSize == 0 {
			continue
		}
		switch t, state := e.onDisk(b, filter, 0, &e.finds); {
		case state == unreadableBlock && asked == 0:
			return 0, unreadableBlock
		case state != gatheredAll:
			asked++
		case asked == 0:
			if sequence := g.newest(b, t, from, high); sequence > 0 {
				return sequence, gatheredAll
			}
		}
	}
	if asked > 0 {
		return 0, gatheredSome
	}
	return 0, gatheredAll
}

// mostNewest is in how many blocks the shell looks at a time for the newest message.
const mostNewest = 4

// newest returns the sequence of the newest selected live record of a table, 0 when there is none.
func (g *gatherer) newest(b *block, t *Table, from, to uint64) uint64 {
	from, to = b.within(t, from, to)
	selects := g.selects(t)
	for i := t.Search(to+1) - 1; i >= 0 && t.Sequence(i) >= from; i-- {
		if sequence := t.Sequence(i); b.live(sequence) && selects(t.Subject(i)) {
			return sequence
		}
	}
	return 0
}
