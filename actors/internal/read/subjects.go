package read

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Bound bounds how many subjects an answer may have, and the bytes of their names. The zero value bounds
// nothing.
type Bound struct{ Subjects, Bytes int }

// Within reports whether the subjects that are selected are within a bound.
func (l *Lookup) Within(most Bound) error {
	if most == (Bound{}) {
		return nil
	}
	left := most
	l.subjects().Walk(&l.set, func(name []byte, _ subjects.Info) bool {
		left.Subjects--
		left.Bytes -= len(name)
		return left.Subjects >= 0 && left.Bytes >= 0
	})
	if left.Subjects < 0 || left.Bytes < 0 {
		return fmt.Errorf("%w: more than %d subjects, or than %d bytes of them", ErrTooManyResults, most.Subjects, most.Bytes)
	}
	return nil
}

// Totals returns how many messages each subject has that the set selects: nil when no subject has any.
func (l *Lookup) Totals() map[string]uint64 {
	if l.now.Subjects.Len() == 0 {
		return nil
	}
	totals := make(map[string]uint64)
	l.subjects().Walk(&l.set, func(name []byte, info subjects.Info) bool {
		totals[string(name)] = info.Count
		return true
	})
	return totals
}

// States returns the matches of each subject that the set of a look-up selects: nil when no subject
// has messages, or when the set names subjects without wildcards and none of them has. S is what the
// caller calls Matches.
func States[S ~struct{ Messages, First, Last uint64 }](l *Lookup) (map[string]S, error) {
	if l.now.Subjects.Len() == 0 {
		return nil, nil
	}
	states := make(map[string]S)
	var open firsts
	newestGone := false // of some subject
	l.subjects().Walk(&l.set, func(name []byte, info subjects.Info) bool {
		states[string(name)] = S(Matches{info.Count, info.First, info.Last})
		if !info.FirstExact {
			open.add(string(name), info.First)
		}
		newestGone = newestGone || !info.LastExact
		return true
	})
	err := l.findFirsts(&open, func(name []byte, first uint64) {
		state := Matches(states[string(name)])
		state.First = first
		states[string(name)] = S(state)
	})
	if err == nil && newestGone {
		err = l.EachLast(1, l.now.LastSequence, func(name []byte, last uint64) {
			state := Matches(states[string(name)])
			state.Last = last
			states[string(name)] = S(state)
		})
	}
	if err != nil || len(states) == 0 && allLiteral(&l.set) {
		return nil, err
	}
	return states, nil
}

// allLiteral reports whether a set has patterns, and none with a wildcard.
func allLiteral(set *subject.Set) bool {
	patterns := set.Patterns()
	for i := range patterns {
		if !patterns[i].Exact() {
			return false
		}
	}
	return len(patterns) > 0
}

// firsts is the subjects whose first message is still to be found.
type firsts struct {
	names map[string]struct{}
	from  uint64 // no first message is before it
}

func (f *firsts) add(name string, from uint64) {
	if f.names == nil {
		f.names, f.from = make(map[string]struct{}), from
	}
	f.names[name] = struct{}{}
	f.from = min(f.from, from)
}

// findFirsts goes through the blocks until the first message of each subject is found.
func (l *Lookup) findFirsts(open *firsts, found func(name []byte, first uint64)) error {
	if len(open.names) == 0 {
		return nil
	}
	return l.forward(open.from, l.now.LastSequence, func(p *part, low, high int) error {
		err := l.eachEnd(p, low, high, func(name []byte, first, _ uint64) {
			if _, ok := open.names[string(name)]; ok {
				delete(open.names, string(name))
				found(name, first)
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
func (l *Lookup) eachEnd(p *part, low, high int, visit func(name []byte, first, last uint64)) error {
	// What cannot be read might be the message that is looked for.
	if holes, err := p.holes(max(p.from, l.now.FirstSequence), p.to); err != nil {
		return err
	} else if len(holes) > 0 {
		return l.errorOf(p.block, &holes[0])
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
func (l *Lookup) eachEndOfLive(p *part, low, high int, visit func(name []byte, first, last uint64)) error {
	type span struct{ first, last uint64 }
	spans := make(map[string]span)
	all := subject.Everything()
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
