package actors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

func everything() subject.Set { return subject.Everything() }

// allLiteral reports whether a set has patterns, and no wildcards.
func allLiteral(set *subject.Set) bool {
	patterns := set.Patterns()
	for i := range patterns {
		if !patterns[i].Exact() {
			return false
		}
	}
	return len(patterns) > 0
}

// AllLastSeqs returns the sequence of the last message of every subject, ascending. It
// is of one instant, takes time and memory in proportion to the number of subjects,
// and reads no disk.
func (s *Store) AllLastSeqs(ctx context.Context) (sequences []uint64, err error) {
	return s.lastSeqs(ctx, everything(), 0, 0)
}

// MultiLastSeqs returns, for each subject that matches one of some patterns, the
// sequence of its last message at or before maxSequence (0: of its last message),
// ascending and each once. The empty pattern matches nothing here, > every subject.
// When there are more than maxAllowed (0 or less: any number) it is ErrTooManyResults.
//
// It is of one instant. It takes time in proportion to the number of subjects that
// match; with a maxSequence before the last message of some of them, it looks for
// those in the indexes of the blocks before, from the last to the first.
func (s *Store) MultiLastSeqs(ctx context.Context, patterns []string, maxSequence uint64, maxAllowed int) ([]uint64, error) {
	return s.lastSeqs(ctx, patternSet(patterns), maxSequence, maxAllowed)
}

// patternSet is the set of patterns that are not empty.
func patternSet(patterns []string) subject.Set {
	var list []subject.Pattern
	for _, text := range patterns {
		if text != "" {
			list = append(list, subject.Compile(text))
		}
	}
	return subject.NewSet(list...)
}

// MultiLastMsgs gives the messages whose sequences MultiLastSeqs returns, ascending.
// Which they are is decided at the first step; those that are removed meanwhile are
// passed over. Errors are as in Messages.
func (s *Store) MultiLastMsgs(ctx context.Context, patterns []string, maxSequence uint64, maxAllowed int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		sequences, err := s.MultiLastSeqs(ctx, patterns, maxSequence, maxAllowed)
		if err != nil {
			yield(Message{}, err)
			return
		}
		for _, sequence := range sequences {
			m, err := s.LoadMsg(ctx, sequence)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if !yield(m, err) || err != nil && !errors.Is(err, ErrCorrupt) {
				return
			}
		}
	}
}

func (s *Store) lastSeqs(ctx context.Context, set subject.Set, most uint64, allowed int) (sequences []uint64, err error) {
	found := 0
	err = s.ask(ctx, set, func(l *lookup) (err error) {
		sequences, found, err = l.lasts(most, allowed)
		return err
	})
	if err != nil || found == 0 {
		return nil, err
	}
	if allowed > 0 && found > allowed {
		return nil, fmt.Errorf("%w: %d subjects, %d allowed", ErrTooManyResults, found, allowed)
	}
	slices.Sort(sequences)
	return sequences, nil
}

// lasts returns the sequence of the last message of each subject that the set selects,
// at or before one (0: any), in no order, and how many there are; beyond allowed (0 or
// less: any number) it only counts.
func (l *lookup) lasts(most uint64, allowed int) (sequences []uint64, found int, err error) {
	if most == 0 || most > l.now.LastSequence {
		most = l.now.LastSequence
	}
	err = l.eachLast(1, most, func(_ []byte, last uint64) {
		if found++; allowed <= 0 || found <= allowed {
			sequences = append(sequences, last)
		}
	})
	return sequences, found, err
}

// eachLast calls visit for each subject that the set selects with the sequence of its
// last message at or before most, if that is not before least. The name is valid until
// visit returns.
func (l *lookup) eachLast(least, most uint64, visit func(name []byte, last uint64)) error {
	least = max(least, l.now.FirstSequence)
	if least > most || l.now.Messages == 0 {
		return nil
	}
	var open map[string]struct{}
	l.now.Subjects.Walk(&l.set, func(name []byte, info subjectInfo) bool {
		switch {
		case info.LastExact && info.Last <= most:
			if info.Last >= least {
				visit(name, info.Last)
			}
		case info.First <= most && info.Last >= least:
			if open == nil {
				open = make(map[string]struct{})
			}
			open[string(name)] = struct{}{}
		}
		return true
	})
	if len(open) == 0 {
		return nil
	}
	// It is on one side of most, or the newest messages of the subject were removed:
	// the blocks know.
	return l.backward(least, most, func(p *part, low, high int) error {
		err := l.eachEnd(p, low, high, func(name []byte, _, last uint64) {
			if _, ok := open[string(name)]; ok {
				delete(open, string(name))
				visit(name, last)
			}
		})
		if err == nil && len(open) == 0 {
			err = errStopVisit
		}
		return err
	})
}
