package queries

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// Naive is a stream as the list of its messages: every answer is a loop over all of them.
type Naive struct {
	live     []Found
	last     uint64
	lastTime int64
	first    uint64 // of an empty stream
	selected map[string][]Found
}

// NewNaive makes the model of a stream from its messages, ascending, and from what they do not tell:
// the last sequence and its time, and the first sequence if there is no message.
func NewNaive(messages []oracle.Message, state oracle.State) *Naive {
	n := &Naive{last: state.Last, lastTime: nanosOf(state.LastTime), first: state.First, selected: map[string][]Found{}}
	for _, m := range messages {
		n.live = append(n.live, Found{Sequence: m.Sequence, Nanos: m.Time.UnixNano(), Subject: m.Subject,
			Header: string(m.Header), Payload: string(m.Payload)})
	}
	if len(n.live) > 0 {
		n.first = n.live[0].Sequence
	}
	return n
}

// nanosOf is 0 for no time. The server has two ways to say that: no time as such, and no time as a
// number of nanoseconds, which is a date in 1754.
func nanosOf(at time.Time) int64 {
	if nanos := at.UnixNano(); nanos != (time.Time{}).UnixNano() {
		return nanos
	}
	return 0
}

// Matches reports whether a subject matches a pattern, token by token. The empty pattern and > select
// messages with the empty subject, too.
func Matches(pattern, subject string) bool {
	if pattern == "" || pattern == ">" {
		return true
	}
	want, have := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case subject == "":
			return false
		case token == ">" && i == len(want)-1:
			return i < len(have)
		case i >= len(have) || token != "*" && token != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

func hasWildcard(pattern string) bool {
	return slices.ContainsFunc(strings.Split(pattern, "."), func(token string) bool { return token == "*" || token == ">" })
}

// of are the messages that the patterns select; without patterns, all.
func (n *Naive) of(patterns []string) []Found {
	if len(patterns) == 0 {
		return n.live
	}
	key := strings.Join(patterns, " ")
	list, ok := n.selected[key]
	if !ok {
		for _, m := range n.live {
			if slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, m.Subject) }) {
				list = append(list, m)
			}
		}
		n.selected[key] = list
	}
	return list
}

func (n *Naive) from(sequence uint64, filters Filters) []Found {
	list := n.of(filters.Patterns)
	i := slices.IndexFunc(list, func(m Found) bool { return m.Sequence >= sequence })
	if i < 0 {
		return nil
	}
	return list[i:]
}

// State implements Answerer.
func (n *Naive) State() State {
	s := State{Messages: uint64(len(n.live)), First: n.first, Last: n.last, LastTime: n.lastTime,
		Subjects: uint64(len(n.spans(nil)))}
	expected := n.first
	for i, m := range n.live {
		if i == 0 {
			s.FirstTime = m.Nanos
		}
		s.Bytes += 30 + uint64(len(m.Subject)+len(m.Header)+len(m.Payload))
		if m.Header != "" {
			s.Bytes += 4
		}
		for ; expected < m.Sequence; expected++ {
			s.Deleted = append(s.Deleted, expected)
		}
		expected++
	}
	for ; len(n.live) > 0 && expected <= n.last; expected++ {
		s.Deleted = append(s.Deleted, expected)
	}
	return s
}

// Counts implements Answerer.
func (n *Naive) Counts(filter string) map[string]uint64 { return counts(n.spans([]string{filter})) }

func counts(spans map[string]Span) map[string]uint64 {
	if len(spans) == 0 {
		return nil
	}
	totals := make(map[string]uint64)
	for subject, span := range spans {
		totals[subject] = span.Messages
	}
	return totals
}

// Load implements Answerer.
func (n *Naive) Load(sequence uint64) Found {
	if sequence == 0 && len(n.live) > 0 {
		return n.live[0]
	}
	for _, m := range n.live {
		if m.Sequence == sequence {
			return m
		}
	}
	if sequence == 0 || sequence > n.last {
		return Found{Error: endOfStream}
	}
	return Found{Error: notFound}
}

// Subject implements Answerer.
func (n *Naive) Subject(sequence uint64) string {
	for _, m := range n.live {
		if m.Sequence == sequence {
			return m.Subject
		}
	}
	return notFound
}

// Next implements Answerer.
func (n *Naive) Next(from uint64, filters Filters) Found {
	if list := n.from(from, filters); len(list) > 0 {
		return list[0]
	}
	return Found{Sequence: n.last, Error: endOfStream}
}

// Previous implements Answerer.
func (n *Naive) Previous(from uint64, filters Filters) Found {
	for _, m := range slices.Backward(n.of(filters.Patterns)) {
		if m.Sequence <= from {
			return m
		}
	}
	return Found{Sequence: n.first, Error: endOfStream}
}

// Last implements Answerer.
func (n *Naive) Last(filters Filters) Found {
	if m := n.Previous(math.MaxUint64, filters); m.Error == "" {
		return m
	}
	return Found{Error: notFound}
}

// Scan implements Answerer.
func (n *Naive) Scan(filters Filters, reverse bool) (list []uint64) {
	for _, m := range n.of(filters.Patterns) {
		list = append(list, m.Sequence)
	}
	if reverse {
		slices.Reverse(list)
	}
	return list
}

// Filtered implements Answerer.
func (n *Naive) Filtered(from uint64, filters Filters) Span {
	if max(from, n.first) > n.last {
		return Span{First: n.first, Last: n.last}
	}
	list := n.from(from, filters)
	if len(list) == 0 {
		return Span{}
	}
	return Span{uint64(len(list)), list[0].Sequence, list[len(list)-1].Sequence}
}

// Pending implements Answerer.
func (n *Naive) Pending(from uint64, filters Filters) Count {
	return Count{uint64(len(n.from(from, filters))), n.last}
}

// PendingLast implements Answerer.
func (n *Naive) PendingLast(from uint64, filters Filters) Count {
	c := Count{Through: n.last}
	for _, span := range n.spans(filters.Patterns) {
		if span.Last >= from {
			c.Total++
		}
	}
	return c
}

// spans are the spans of all subjects but the empty one.
func (n *Naive) spans(patterns []string) map[string]Span {
	spans := make(map[string]Span)
	for _, m := range n.of(patterns) {
		if m.Subject == "" {
			continue
		}
		span, ok := spans[m.Subject]
		if !ok {
			span.First = m.Sequence
		}
		span.Messages++
		span.Last = m.Sequence
		spans[m.Subject] = span
	}
	return spans
}

// Subjects implements Answerer.
func (n *Naive) Subjects(filters Filters) map[string]Span {
	spans := n.spans(filters.Patterns)
	literal := !filters.all() && !hasWildcard(filters.one())
	if len(spans) == 0 && (literal || len(n.spans(nil)) == 0) {
		return nil
	}
	return spans
}

// Totals implements Answerer.
func (n *Naive) Totals(filters Filters) map[string]uint64 {
	if len(n.spans(nil)) == 0 {
		return nil
	}
	if totals := counts(n.spans(filters.Patterns)); totals != nil {
		return totals
	}
	return map[string]uint64{}
}

// AllLast implements Answerer.
func (n *Naive) AllLast() []uint64 { return n.MultiLast([]string{">"}, 0, 0).List }

// lasts are the last messages of subjects at or before a sequence, ascending.
func (n *Naive) lasts(patterns []string, most uint64) []Found {
	lasts := make(map[string]Found)
	if len(patterns) > 0 {
		for _, m := range n.of(patterns) {
			if m.Subject != "" && (most == 0 || m.Sequence <= most) {
				lasts[m.Subject] = m
			}
		}
	}
	return slices.SortedFunc(maps.Values(lasts), func(a, b Found) int { return int(a.Sequence) - int(b.Sequence) })
}

// MultiLast implements Answerer.
func (n *Naive) MultiLast(patterns []string, most uint64, allowed int) (s Sequences) {
	lasts := n.lasts(patterns, most)
	if allowed > 0 && len(lasts) > allowed {
		return Sequences{Error: tooMany}
	}
	for _, m := range lasts {
		s.List = append(s.List, m.Sequence)
	}
	return s
}

// MultiLastMessages implements Answerer.
func (n *Naive) MultiLastMessages(patterns []string, most uint64, allowed int) []Found {
	lasts := n.lasts(patterns, most)
	if allowed > 0 && len(lasts) > allowed {
		return []Found{{Error: tooMany}}
	}
	return lasts
}

// FromTime implements Answerer.
func (n *Naive) FromTime(at time.Time) uint64 {
	for _, m := range n.live {
		if m.Nanos >= at.UnixNano() {
			return m.Sequence
		}
	}
	return n.last + 1
}

// Consumer implements Answerer.
func (n *Naive) Consumer(start Start, filters Filters) uint64 {
	switch start.Policy {
	case DeliverFrom:
		return n.Pending(start.Sequence, filters).Total
	case DeliverFromTime:
		return n.Pending(n.FromTime(start.Time), filters).Total
	case DeliverLastPerSubject:
		return n.PendingLast(0, filters).Total
	}
	return n.Pending(0, filters).Total
}
