package actors_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The seed that a failure of rapid prints is enough to see it again; no file is
// left in the tree.
func init() {
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
}

// record is a message of the naive model. It shares no memory with anything.
type record struct {
	sequence uint64
	time     time.Time
	subject  string
	header   string
	payload  string
}

func recordOf(m actors.Message) record {
	return record{m.Sequence, m.Time, strings.Clone(m.Subject), string(m.HeaderBlock), string(m.Payload)}
}

func (r *record) size() int64 {
	return int64(actors.RecordSize(len(r.subject), len(r.header), len(r.payload)))
}

// String does without the payload.
func (r record) String() string {
	if r == (record{}) {
		return "none"
	}
	return fmt.Sprintf("%d %q", r.sequence, r.subject)
}

// naive is a stream as the list of its live messages. Every query is a loop over
// all of them.
type naive struct {
	live     []record // ascending
	last     uint64
	lastTime time.Time

	maxMsgs, maxBytes int64    // 0: no limit
	lost              []uint64 // of unknown subjects
}

// add appends messages that are stored together, and makes room for them.
func (n *naive) add(records ...record) {
	for _, r := range records {
		n.live = append(n.live, r)
		n.last, n.lastTime = r.sequence, r.time
	}
	n.trim()
}

// skip uses up sequences. The time stays, if there is one.
func (n *naive) skip(last uint64, now time.Time) {
	n.last = last
	if n.lastTime.IsZero() {
		n.lastTime = now
	}
}

// trim applies the limits.
func (n *naive) trim() {
	for n.maxMsgs > 0 && int64(len(n.live)) > n.maxMsgs {
		n.live = n.live[1:]
	}
	for n.maxBytes > 0 && n.bytes() > n.maxBytes {
		n.live = n.live[1:]
	}
}

// remove takes a message out of the middle.
func (n *naive) remove(sequence uint64) {
	n.live = slices.DeleteFunc(n.live, func(r record) bool { return r.sequence == sequence })
}

func (n *naive) bytes() (sum int64) {
	for i := range n.live {
		sum += n.live[i].size()
	}
	return sum
}

func (n *naive) first() uint64 {
	switch {
	case len(n.live) > 0:
		return n.live[0].sequence
	case n.last == 0:
		return 0 // brand-new
	}
	return n.last + 1
}

// matches compares token by token.
func matches(pattern, subject string) bool {
	if pattern == "" || pattern == ">" {
		return true
	}
	if subject == "" {
		return false
	}
	for {
		want, patternRest, patternMore := strings.Cut(pattern, ".")
		have, subjectRest, subjectMore := strings.Cut(subject, ".")
		switch {
		case want == ">" && !patternMore:
			return true
		case want != "*" && want != have:
			return false
		case !patternMore || !subjectMore:
			return patternMore == subjectMore
		}
		pattern, subject = patternRest, subjectRest
	}
}

func hasWildcard(pattern string) bool {
	tokens := strings.Split(pattern, ".")
	return slices.Contains(tokens, "*") || tokens[len(tokens)-1] == ">"
}

// pick is one Filters argument of a query, picks are all of them.
type (
	pick struct {
		literal  bool
		patterns []string
		where    *predicate // and only subjects that it accepts
	}
	picks []pick
)

// any selects what matches one of some patterns, and exactly what has one of some
// subjects. none is a query without a filter, nothing one with an empty filter.
func matching(patterns ...string) picks { return picks{{patterns: patterns}} }
func exactly(subjects ...string) picks  { return picks{{literal: true, patterns: subjects}} }

var (
	none    picks
	nothing = matching()
)

func (p picks) String() string {
	text := ""
	for _, one := range p {
		name := "Filter"
		if one.literal {
			name = "Literal"
		}
		text += fmt.Sprintf(", %s%q", name, one.patterns)
		if one.where != nil {
			text += " where it " + one.where.name
		}
	}
	return text
}

func (p picks) filters() (f []actors.Filters) {
	for _, one := range p {
		next := actors.Filter(one.patterns...)
		if one.literal {
			next = actors.Literal(one.patterns...)
		}
		if one.where != nil {
			next = actors.Where(one.where.asked, next)
		}
		f = append(f, next)
	}
	return f
}

func (p picks) match(subject string) bool {
	if len(p) == 0 {
		return true
	}
	for _, one := range p {
		if one.where != nil && (subject == "" || !one.where.accept(subject)) {
			continue
		}
		for _, pattern := range one.patterns {
			if one.literal && (pattern == "" || pattern == subject) || !one.literal && matches(pattern, subject) {
				return true
			}
		}
	}
	return false
}

// single returns the only pattern, if there is just one.
func (p picks) single() (pattern string, literal, ok bool) {
	switch {
	case len(p) == 0:
		return ">", false, true
	case len(p) == 1 && len(p[0].patterns) == 1 && p[0].where == nil:
		return p[0].patterns[0], p[0].literal || !hasWildcard(p[0].patterns[0]), true
	}
	return "", false, false
}

// selected are the live messages from a sequence on that the picks match.
func (n *naive) selected(from uint64, p picks) (list []record) {
	for _, r := range n.live {
		if r.sequence >= from && p.match(r.subject) {
			list = append(list, r)
		}
	}
	return list
}

func (n *naive) load(sequence uint64) (record, error) {
	if sequence == 0 && len(n.live) > 0 {
		return n.live[0], nil
	}
	if sequence == 0 || sequence > n.last {
		return record{}, actors.ErrEOF
	}
	for _, r := range n.live {
		if r.sequence == sequence {
			return r, nil
		}
	}
	return record{}, actors.ErrNotFound
}

func (n *naive) next(start uint64, p picks) (record, uint64, error) {
	list := n.selected(start, p)
	for _, lost := range n.lost { // it might have been a match: nobody knows
		if lost >= start && (len(list) == 0 || lost < list[0].sequence) {
			return record{}, lost, actors.ErrCorrupt
		}
	}
	if len(list) > 0 {
		return list[0], list[0].sequence, nil
	}
	return record{}, n.last, actors.ErrEOF
}

func (n *naive) previous(start uint64, p picks) (record, uint64, error) {
	for _, lost := range slices.Backward(n.lost) {
		if lost <= start && !slices.ContainsFunc(n.selected(lost, p), func(r record) bool { return r.sequence <= start }) {
			return record{}, lost, actors.ErrCorrupt
		}
	}
	for _, r := range slices.Backward(n.selected(0, p)) {
		if r.sequence <= start {
			return r, r.sequence, nil
		}
	}
	return record{}, n.first(), actors.ErrEOF
}

func (n *naive) lastMatch(p picks) (record, error) {
	if list := n.selected(0, p); len(list) > 0 {
		return list[len(list)-1], nil
	}
	return record{}, actors.ErrNotFound
}

func (n *naive) subjectFor(sequence uint64) (string, error) {
	for _, r := range n.live {
		if r.sequence == sequence {
			return r.subject, nil
		}
	}
	return "", actors.ErrNotFound
}

func (n *naive) firstFor(subject string) uint64 {
	for _, r := range n.live {
		if r.subject == subject {
			return r.sequence
		}
	}
	return 0
}

func (n *naive) fromTime(t time.Time) uint64 {
	for _, r := range n.live {
		if !r.time.Before(t) {
			return r.sequence
		}
	}
	return n.last + 1
}

func (n *naive) filtered(from uint64, p picks) actors.SubjectState {
	if max(from, n.first()) > n.last {
		return actors.SubjectState{First: n.first(), Last: n.last}
	}
	list := n.selected(from, p)
	if len(list) == 0 {
		return actors.SubjectState{}
	}
	return actors.SubjectState{Messages: uint64(len(list)), First: list[0].sequence, Last: list[len(list)-1].sequence}
}

// subjects are the states of all subjects.
func (n *naive) subjects(p picks) map[string]actors.SubjectState {
	states := make(map[string]actors.SubjectState)
	for _, r := range n.live {
		if r.subject == "" || !p.match(r.subject) {
			continue
		}
		s, ok := states[r.subject]
		if !ok {
			s.First = r.sequence
		}
		s.Messages++
		s.Last = r.sequence
		states[r.subject] = s
	}
	return states
}

// subjectsState says when there is nil instead of an empty map. With several
// patterns that is not defined: then it is empty, here.
func (n *naive) subjectsState(p picks) map[string]actors.SubjectState {
	states := n.subjects(p)
	_, literal, single := p.single()
	if len(states) == 0 && single && (literal || len(n.subjects(none)) == 0) {
		return nil
	}
	return states
}

func (n *naive) totals(p picks) map[string]uint64 {
	totals := make(map[string]uint64)
	for subject, s := range n.subjects(p) {
		totals[subject] = s.Messages
	}
	if _, _, single := p.single(); single && len(n.subjects(none)) == 0 {
		return nil
	}
	return totals
}

func (n *naive) multiLast(patterns []string, most uint64, allowed int) ([]record, error) {
	lasts := make(map[string]record)
	for _, r := range n.live {
		if r.subject == "" || most > 0 && r.sequence > most {
			continue
		}
		for _, pattern := range patterns {
			if pattern != "" && matches(pattern, r.subject) {
				lasts[r.subject] = r
			}
		}
	}
	if allowed > 0 && len(lasts) > allowed {
		return nil, actors.ErrTooManyResults
	}
	return slices.SortedFunc(maps.Values(lasts), func(a, b record) int { return int(a.sequence) - int(b.sequence) }), nil
}

func (n *naive) pendingLast(from uint64, p picks) (total uint64) {
	for _, s := range n.subjects(p) {
		if s.Last >= from {
			total++
		}
	}
	return total
}

func (n *naive) deleted() (ranges []actors.SequenceRange) {
	for i := 1; i <= len(n.live); i++ {
		after := n.last + 1
		if i < len(n.live) {
			after = n.live[i].sequence
		}
		if before := n.live[i-1].sequence; before+1 < after {
			ranges = append(ranges, actors.SequenceRange{First: before + 1, Last: after - 1})
		}
	}
	return ranges
}

// state leaves out what is durable.
func (n *naive) state() actors.State {
	s := actors.State{
		Messages: uint64(len(n.live)), Bytes: uint64(n.bytes()), Subjects: uint64(len(n.subjects(none))),
		FirstSequence: n.first(), LastSequence: n.last, LastTime: n.lastTime,
	}
	if len(n.live) > 0 {
		s.FirstTime = n.live[0].time
		s.Deleted = n.last - n.first() + 1 - s.Messages
	}
	return s
}

// scan is what an iteration gives. from 0 is the beginning or, in reverse, the end.
func (n *naive) scan(from uint64, reverse bool, p picks) (list []record) {
	for _, r := range n.live {
		if p.match(r.subject) && (from == 0 || !reverse && r.sequence >= from || reverse && r.sequence <= from) {
			list = append(list, r)
		}
	}
	if reverse {
		slices.Reverse(list)
	}
	return list
}

// sentinel makes errors comparable.
func sentinel(err error) error {
	for _, known := range []error{
		actors.ErrEOF, actors.ErrNotFound, actors.ErrStopped, actors.ErrTooManyResults, actors.ErrCorrupt,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// checkEverything compares the states and all messages.
func checkEverything(t require.TestingT, s *actors.Store, n *naive) {
	if h, ok := t.(testing.TB); ok {
		h.Helper()
	}
	for _, q := range []question{askFastState(), askState(), askScan(0, false, none), askScan(0, true, none)} {
		q.check(t, s, n)
	}
}

// mostPatience is what a query may take, on the slowest machine.
const mostPatience = time.Minute

// check asks the store and the model.
func (q *question) check(t require.TestingT, s *actors.Store, n *naive) {
	if h, ok := t.(testing.TB); ok {
		h.Helper()
	}
	ctx, cancel := context.WithTimeout(context.Background(), mostPatience)
	defer cancel()
	if want, got := q.want(n), q.got(ctx, s); !reflect.DeepEqual(want, got) {
		require.Equal(t, want.String(), got.String(), "%s", q.text)
		require.Equal(t, want, got, "%s", q.text)
	}
}
