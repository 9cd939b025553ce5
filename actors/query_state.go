package actors

import (
	"context"
	"slices"
)

// State returns FastState and the sequences between the first and the last that have
// no message, as of one instant. It costs time and memory in proportion to the number
// of their stretches and of the blocks. It reads no disk, and works on a failed store,
// too; a stopped one has only the numbers.
func (s *Store) State(ctx context.Context) (FullState, error) {
	if err := ctx.Err(); err != nil {
		return FullState{}, context.Cause(ctx)
	}
	state, ranges := s.published.Deleted()
	return FullState{stateOf(state), ranges}, nil
}

// FilteredState returns how many messages at or after a sequence the filters select,
// and the first and the last of them; zeros when there is none. When from is above the
// last sequence, it is {0, FirstSequence, LastSequence}. It is of one instant, and
// costs what NumPending and two steps of LoadNextMsg do.
func (s *Store) FilteredState(ctx context.Context, from uint64, filters ...Filters) (state SubjectState, err error) {
	err = s.ask(ctx, setOf(filters), func(l *lookup) (err error) {
		state, err = l.state(from)
		return err
	})
	return state, err
}

func (l *lookup) state(from uint64) (state SubjectState, err error) {
	if max(from, l.now.FirstSequence) > l.now.LastSequence {
		return SubjectState{0, l.now.FirstSequence, l.now.LastSequence}, nil
	}
	if state.Messages, err = l.pending(from); err != nil || state.Messages == 0 {
		return SubjectState{}, err
	}
	if state.First, err = l.firstFrom(from); err != nil {
		return SubjectState{}, err
	}
	state.Last, err = l.last()
	return state, err
}

// firstFrom returns the sequence of the first match at or after one; there is one.
func (l *lookup) firstFrom(from uint64) (uint64, error) {
	if name, ok := l.set.Exact(); ok {
		if info, ok := l.now.Subjects.Get([]byte(name)); ok && info.FirstExact && info.First >= from {
			return info.First, nil
		}
	}
	first, _, err := l.next(from)
	return first, err
}

// NumPending returns how many messages at or after a sequence the filters select, and
// the last sequence of the stream as of the same instant: whoever adds the messages
// stored after that has the right number always.
//
// Without filters it takes a moment a block. With filters, time in proportion to the
// number of subjects that match; and when some of those have messages on both sides
// of the sequence, the indexes of the blocks before it or after it, whichever are
// fewer, are read, too.
func (s *Store) NumPending(ctx context.Context, from uint64, filters ...Filters) (total, validThrough uint64, err error) {
	err = s.ask(ctx, setOf(filters), func(l *lookup) (err error) {
		validThrough = l.now.LastSequence
		total, err = l.pending(from)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return total, validThrough, nil
}

// NumPendingLastPerSubject is NumPending of the last message of each subject only: how
// many subjects that the filters select have their last message at or after from. It
// takes time in proportion to the number of subjects that match, and reads no disk.
// Messages with the empty subject do not count.
func (s *Store) NumPendingLastPerSubject(ctx context.Context, from uint64, filters ...Filters) (total, validThrough uint64, err error) {
	err = s.ask(ctx, setOf(filters), func(l *lookup) (err error) {
		validThrough, total = l.now.LastSequence, 0
		return l.eachLast(from, l.now.LastSequence, func([]byte, uint64) { total++ })
	})
	if err != nil {
		return 0, 0, err
	}
	return total, validThrough, nil
}

// pending counts the matches at or after a sequence.
func (l *lookup) pending(from uint64) (uint64, error) {
	from = max(from, l.now.FirstSequence)
	switch {
	case l.set.None() || from > l.now.LastSequence || l.now.Messages == 0:
		return 0, nil
	case l.set.All():
		return l.live(from), nil
	case from == l.now.FirstSequence:
		_, total := l.now.Subjects.Total(&l.set)
		return total, nil
	}
	total, _, partial := l.now.Subjects.Pending(&l.set, from)
	if !partial {
		return total, nil
	}
	return l.pendingInBlocks(from)
}

// live counts the messages at or after a sequence.
func (l *lookup) live(from uint64) uint64 {
	n := l.now.LastSequence - from + 1
	blocks := l.now.View.Blocks()
	for i := l.block(from); i < len(blocks); i++ {
		n -= blocks[i].GapsWithin(max(from, blocks[i].First), l.span(i))
	}
	return n
}

// memoryCost is how many indexed blocks cost as much as one in memory, which has to be
// walked.
const memoryCost = 8

// pendingInBlocks counts the matches at or after a sequence in the blocks from there
// on, or in those before it, whichever is less work.
func (l *lookup) pendingInBlocks(from uint64) (uint64, error) {
	at, all := l.block(from), len(l.now.View.Blocks())
	if before, after := at+1, all-at+memoryCost; before > after || at == all-1 {
		return l.countWithin(from, l.now.LastSequence)
	}
	_, total := l.now.Subjects.Total(&l.set)
	before, err := l.countWithin(l.now.FirstSequence, from-1)
	return total - min(total, before), err
}

func (l *lookup) countWithin(from, to uint64) (total uint64, err error) {
	err = l.forward(from, to, func(p *part, low, high int) error {
		n, err := p.count(&l.set, low, high, &l.members)
		total += n
		return err
	})
	return total, err
}

// SubjectsTotals returns how many messages each subject has that the filters select:
// nil when no subject has messages, an empty map when none is selected. It is of one
// instant, takes time and memory in proportion to the number of subjects that match,
// and reads no disk. The map is the caller's.
func (s *Store) SubjectsTotals(ctx context.Context, filters ...Filters) (totals map[string]uint64, err error) {
	return s.subjectsTotals(ctx, filters, subjectBound{})
}

func (s *stream) subjectsTotals(ctx context.Context, filters []Filters, most subjectBound) (totals map[string]uint64, err error) {
	err = s.ask(ctx, setOf(filters), func(l *lookup) error {
		if totals = nil; l.now.Subjects.Len() == 0 {
			return nil
		}
		if err := l.within(most); err != nil {
			return err
		}
		totals = make(map[string]uint64)
		l.now.Subjects.Walk(&l.set, func(name []byte, info subjectInfo) bool {
			totals[string(name)] = info.Count
			return true
		})
		return nil
	})
	return totals, err
}

// SubjectsState returns for each subject that the filters select how many messages it
// has, and the sequences of the first and the last. It is nil when no subject has
// messages, or when the filters are literals and none of them is found; an empty map
// when nothing matches a wildcard. It is of one instant, and takes time and memory in
// proportion to the number of subjects that match. Where older messages of a subject
// were removed it looks for the first one in the indexes of blocks, from the first
// block on. The map is the caller's.
func (s *Store) SubjectsState(ctx context.Context, filters ...Filters) (states map[string]SubjectState, err error) {
	return s.subjectsState(ctx, filters, subjectBound{})
}

func (s *stream) subjectsState(ctx context.Context, filters []Filters, most subjectBound) (states map[string]SubjectState, err error) {
	set := setOf(filters)
	err = s.ask(ctx, set, func(l *lookup) (err error) {
		if states, err = nil, l.within(most); err != nil {
			return err
		}
		states, err = l.subjects()
		return err
	})
	if len(states) == 0 && (err != nil || allLiteral(&set)) {
		states = nil
	}
	return states, err
}

func (l *lookup) subjects() (map[string]SubjectState, error) {
	if l.now.Subjects.Len() == 0 {
		return nil, nil
	}
	states := make(map[string]SubjectState)
	var open firsts
	loose := false
	l.now.Subjects.Walk(&l.set, func(name []byte, info subjectInfo) bool {
		states[string(name)] = SubjectState{info.Count, info.First, info.Last}
		if !info.FirstExact {
			open.add(string(name), info.First)
		}
		loose = loose || !info.LastExact
		return true
	})
	change := func(name []byte, f func(*SubjectState)) {
		state := states[string(name)]
		f(&state)
		states[string(name)] = state
	}
	err := l.findFirsts(&open, func(name []byte, first uint64) {
		change(name, func(s *SubjectState) { s.First = first })
	})
	if err == nil && loose {
		err = l.eachLast(1, l.now.LastSequence, func(name []byte, last uint64) {
			change(name, func(s *SubjectState) { s.Last = last })
		})
	}
	return states, err
}

// firsts is subjects whose first message is looked for.
type firsts struct {
	names map[string]struct{}
	from  uint64 // none is before it
}

func (f *firsts) add(name string, from uint64) {
	if f.names == nil {
		f.names, f.from = make(map[string]struct{}), from
	}
	f.names[name] = struct{}{}
	f.from = min(f.from, from)
}

// findFirsts goes through the blocks until all subjects are found.
func (l *lookup) findFirsts(open *firsts, tell func(name []byte, first uint64)) error {
	if len(open.names) == 0 {
		return nil
	}
	return l.forward(open.from, l.now.LastSequence, func(p *part, low, high int) error {
		err := l.eachEnd(p, low, high, func(name []byte, first, _ uint64) {
			if _, ok := open.names[string(name)]; ok {
				delete(open.names, string(name))
				tell(name, first)
			}
		})
		if err == nil && len(open.names) == 0 {
			err = errStopVisit
		}
		return err
	})
}

// eachEnd calls visit with the first and the last live message of each subject that the
// set selects among the records low..high-1.
func (l *lookup) eachEnd(p *part, low, high int, visit func(name []byte, first, last uint64)) error {
	// What cannot be read might be the message that is looked for.
	if holes, err := p.holes(max(p.from, l.now.FirstSequence), p.to); err != nil {
		return err
	} else if len(holes) > 0 {
		return p.holeError(holes[0].First)
	}
	n, err := p.live(low, high)
	if err != nil {
		return err
	}
	if n < uint64(high-low) {
		return l.eachEndOfLive(p, low, high, visit)
	}
	var broken error
	err = p.table.ends(&l.set, low, high, func(name []byte, first, last int) {
		a, aErr := p.table.sequence(first)
		b, bErr := p.table.sequence(last)
		if aErr == nil && bErr == nil {
			visit(name, a, b)
		} else if broken == nil {
			broken = aErr
			if broken == nil {
				broken = bErr
			}
		}
	})
	if err == nil {
		err = broken
	}
	return err
}

// eachEndOfLive is eachEnd where some records are gone: it looks at stretches of live
// records, one after the other.
func (l *lookup) eachEndOfLive(p *part, low, high int, visit func(name []byte, first, last uint64)) error {
	type span struct{ first, last uint64 }
	spans := make(map[string]span)
	all := everything()
	live, err := p.members(&all, low, high, nil)
	if err != nil {
		return err
	}
	var broken error
	for from := live.next(low); from >= 0 && from < high; {
		to := from + 1
		for to < high && live.next(to) == to {
			to++
		}
		err := p.table.ends(&l.set, from, to, func(name []byte, first, last int) {
			a, aErr := p.table.sequence(first)
			b, bErr := p.table.sequence(last)
			if aErr != nil || bErr != nil {
				broken = firstError(aErr, bErr)
				return
			}
			s, ok := spans[string(name)]
			if !ok {
				s.first = a
			}
			s.last = b
			spans[string(name)] = s
		})
		if err = firstError(err, broken); err != nil {
			return err
		}
		from = live.next(to)
	}
	for name, s := range spans {
		visit([]byte(name), s.first, s.last)
	}
	return nil
}

func firstError(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}
