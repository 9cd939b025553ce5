package actors

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// AllLastSeqs returns the sequence of the last message of every subject, ascending. It
// is of one instant, takes time and memory in proportion to the number of subjects,
// and reads no disk.
func (s *Store) AllLastSeqs(ctx context.Context) (sequences []uint64, err error) {
	return s.lastSeqs(ctx, subject.Everything(), 0, 0)
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
	set, err := patternSet(patterns)
	if err != nil {
		return nil, err
	}
	return s.lastSeqs(ctx, set, maxSequence, maxAllowed)
}

// patternSet is the set of patterns that are not empty.
func patternSet(patterns []string) (subject.Set, error) {
	var list []subject.Pattern
	for _, text := range patterns {
		if text == "" {
			continue
		}
		pattern, err := compilePattern(text)
		if err != nil {
			return subject.Set{}, err
		}
		list = append(list, pattern)
	}
	return subject.NewSet(list...), nil
}

// MultiLastMsgs gives the messages whose sequences MultiLastSeqs returns, ascending.
// Which they are is decided at the first step; those that are removed meanwhile are
// passed over. Errors are as in Messages.
func (s *Store) MultiLastMsgs(ctx context.Context, patterns []string, maxSequence uint64, maxAllowed int) iter.Seq2[Message, error] {
	set, err := patternSet(patterns) // the slice is the caller's
	return s.lastMsgs(ctx, set, err, maxSequence, maxAllowed)
}

// LastSeqs is MultiLastSeqs with filters, as other queries take them: for each subject that they select. Without
// filters it is of every subject.
func (s *Store) LastSeqs(ctx context.Context, maxSequence uint64, maxAllowed int, filters ...Filters) ([]uint64, error) {
	set, err := setOf(filters)
	if err != nil {
		return nil, err
	}
	return s.lastSeqs(ctx, set, maxSequence, maxAllowed)
}

// LastMsgs gives the messages whose sequences LastSeqs returns, as MultiLastMsgs does.
func (s *Store) LastMsgs(ctx context.Context, maxSequence uint64, maxAllowed int, filters ...Filters) iter.Seq2[Message, error] {
	set, err := setOf(filters)
	return s.lastMsgs(ctx, set, err, maxSequence, maxAllowed)
}

// lastMsgs gives the last messages of the subjects of a set, or why there is no set.
func (s *Store) lastMsgs(ctx context.Context, set subject.Set, wrong error, maxSequence uint64, maxAllowed int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if wrong != nil {
			yield(Message{}, wrong)
			return
		}
		rewinds := s.published.Rewinds()
		sequences, err := s.lastSeqs(ctx, set, maxSequence, maxAllowed)
		s.loadEach(ctx, rewinds, sequences, err, yield)
	}
}

// loadEach hands out the messages of sequences, or the error of finding them, which was when the last sequence had gone
// back so often.
func (s *Store) loadEach(ctx context.Context, rewinds uint64, sequences []uint64, err error, yield func(Message, error) bool) {
	if err != nil {
		yield(Message{}, err)
		return
	}
	for _, sequence := range sequences {
		m, err := s.loadSince(ctx, rewinds, sequence)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if !yield(m, err) || err != nil && !errors.Is(err, ErrCorrupt) {
			return
		}
	}
}

func (s *stream) lastSeqs(ctx context.Context, set subject.Set, most uint64, allowed int) (sequences []uint64, err error) {
	err = s.source.Ask(ctx, set, func(l *read.Lookup) (err error) {
		sequences, err = l.Lasts(most, allowed)
		return err
	})
	if err != nil || len(sequences) == 0 {
		return nil, err
	}
	slices.Sort(sequences)
	return sequences, nil
}
