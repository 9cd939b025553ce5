package actors_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
)

// stock is a stream done in the most obvious way, for scripts of removals: the list of its messages. It is a value:
// what changes it returns another one.
type stock struct {
	begin  uint64 // the last sequence before the first message, also after a reset
	last   uint64
	live   []stocked
	limits stockLimits
}

type stocked struct {
	sequence       uint64
	subject, token string
	size           int
}

type stockLimits struct{ messages, bytes, per int64 }

// outcome is what a command is to be answered with.
type outcome struct {
	last  uint64 // of what stores or skips
	count uint64 // of what removes
	err   error
}

func (o outcome) check(got outcome) error {
	if !errors.Is(got.err, o.err) || o.err == nil && got.err != nil || o.err == nil && (got.last != o.last || got.count != o.count) {
		return fmt.Errorf("answered with %d, %d, %v, not %d, %d, %v", got.last, got.count, got.err, o.last, o.count, o.err)
	}
	return nil
}

func (s stock) first() uint64 {
	if len(s.live) > 0 {
		return s.live[0].sequence
	}
	return s.last + 1
}

func (s stock) bytes() (n int64) {
	for _, m := range s.live {
		n += int64(m.size)
	}
	return n
}

// without returns the stock without the messages that go, and their number.
func (s stock) without(goes func(stocked) bool) (stock, uint64) {
	before := len(s.live)
	s.live = slices.DeleteFunc(slices.Clone(s.live), goes)
	return s, uint64(before - len(s.live))
}

// bound removes what the limits of the stream do not let stay.
func (s stock) bound() stock {
	l := s.limits
	for l.messages > 0 && int64(len(s.live)) > l.messages || l.bytes > 0 && s.bytes() > l.bytes {
		s.live = s.live[1:]
	}
	return s
}

// thin removes what the limit of the subjects does not let stay.
func (s stock) thin() stock {
	counts := map[string]int64{}
	var kept []stocked
	for _, m := range slices.Backward(s.live) {
		if counts[m.subject]++; m.subject == "" || s.limits.per <= 0 || counts[m.subject] <= s.limits.per {
			kept = append(kept, m)
		}
	}
	slices.Reverse(kept)
	s.live = kept
	return s
}

func (s stock) store(expect *uint64, kind actors.RollupKind, messages ...stocked) (stock, outcome) {
	for _, m := range messages {
		if s.limits.bytes > 0 && int64(m.size) > s.limits.bytes {
			return s, outcome{err: actors.ErrMaxBytes}
		}
	}
	if expect != nil && *expect != s.last {
		return s, outcome{err: actors.ErrSequenceMismatch}
	}
	if kind != 0 {
		s, _ = s.without(func(m stocked) bool { return kind == actors.RollupAll || m.subject == messages[0].subject })
	}
	s.live = slices.Clone(s.live)
	for _, m := range messages {
		s.last++
		m.sequence = s.last
		s.live = append(s.live, m)
	}
	return s.thin().bound(), outcome{last: s.last}
}

func (s stock) skip(count uint64) (stock, outcome) {
	s.last += count
	return s, outcome{last: s.last}
}

func (s stock) remove(sequence uint64) (stock, outcome) {
	next, n := s.without(func(m stocked) bool { return m.sequence == sequence })
	switch {
	case n > 0:
	case sequence > s.last:
		return s, outcome{err: actors.ErrEOF}
	case sequence < s.first() || len(s.live) == 0:
		return s, outcome{err: actors.ErrNotFound}
	}
	return next, outcome{count: n}
}

// purge removes what match selects, all if that is nil.
func (s stock) purge(match func(subject string) bool, below, keep uint64) (stock, outcome) {
	switch {
	case below == 1:
		return s, outcome{}
	case match == nil && below > 1:
		return s.compact(below)
	}
	matching := uint64(0)
	selects := func(m stocked) bool { return match == nil || m.subject != "" && match(m.subject) }
	for _, m := range s.live {
		if selects(m) {
			matching++
		}
	}
	next, n := s.without(func(m stocked) bool {
		if !selects(m) {
			return false
		}
		matching--
		return matching >= keep && (below == 0 || m.sequence < below)
	})
	return next, outcome{count: n}
}

func (s stock) compact(sequence uint64) (stock, outcome) {
	if sequence == 0 {
		return s.purge(nil, 0, 0)
	}
	next, n := s.without(func(m stocked) bool { return m.sequence < sequence })
	next.last = max(s.last, sequence-1)
	return next, outcome{count: n}
}

func (s stock) truncate(sequence uint64) (stock, outcome) {
	if sequence > s.last {
		return s, outcome{err: actors.ErrEOF}
	}
	next, n := s.without(func(m stocked) bool { return m.sequence > sequence })
	if next.last = sequence; sequence == 0 {
		next.last = s.begin
	}
	return next, outcome{count: n}
}

func (s stock) limit(messages, bytes, per int64) (stock, outcome) {
	for _, x := range []struct {
		limit *int64
		to    int64
	}{{&s.limits.messages, messages}, {&s.limits.bytes, bytes}, {&s.limits.per, per}} {
		if x.to != 0 {
			*x.limit = x.to
		}
	}
	return s.bound().thin(), outcome{}
}

// differs returns what a stream has otherwise, message by message.
func (s stock) differs(found []stocked, state actors.State) error {
	if state.LastSequence != s.last {
		return fmt.Errorf("the last sequence is %d, not %d", state.LastSequence, s.last)
	}
	if !slices.Equal(found, s.live) {
		return fmt.Errorf("messages %v, not %v", found, s.live)
	}
	if s.last > 0 && state.FirstSequence != s.first() {
		return fmt.Errorf("the first sequence is %d, not %d", state.FirstSequence, s.first())
	}
	if state.Messages != uint64(len(s.live)) || state.Bytes != uint64(s.bytes()) {
		return fmt.Errorf("%d messages and %d bytes, not %d and %d", state.Messages, state.Bytes, len(s.live), s.bytes())
	}
	return nil
}
