package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// FastState returns the stream's state, of everything that has been acknowledged. It
// is consistent, costs constant time, reads no disk, and works on a failed and on
// a stopped store, too. The error is that of the context.
func (s *Store) FastState(ctx context.Context) (State, error) {
	if err := ctx.Err(); err != nil {
		return State{}, context.Cause(ctx)
	}
	return stateOf(s.published.State()), nil
}

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

// Deleted returns the sequences between the first and the last that hold no
// message, as ascending and disjoint ranges: those of State. See Sequences.
func (s *Store) Deleted(ctx context.Context) ([]SequenceRange, error) {
	state, err := s.State(ctx)
	return state.DeletedRanges, err
}

// FilteredState returns how many messages at or after a sequence the filters select,
// and the first and the last of them; zeros when there is none. When from is above the
// last sequence, it is {0, FirstSequence, LastSequence}. It is of one instant, and
// costs what NumPending and two steps of LoadNextMsg do.
func (s *Store) FilteredState(ctx context.Context, from uint64, filters ...Filters) (state SubjectState, err error) {
	err = s.ask(ctx, filters, func(l *read.Lookup) error {
		matches, err := l.State(from)
		state = SubjectState(matches)
		return err
	})
	return state, err
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
	return s.count(ctx, filters, func(l *read.Lookup) (uint64, error) { return l.Pending(from) })
}

// NumPendingLastPerSubject is NumPending of the last message of each subject only: how
// many subjects that the filters select have their last message at or after from. It
// takes time in proportion to the number of subjects that match, and reads no disk.
// Messages with the empty subject do not count.
func (s *Store) NumPendingLastPerSubject(ctx context.Context, from uint64, filters ...Filters) (total, validThrough uint64, err error) {
	return s.count(ctx, filters, func(l *read.Lookup) (uint64, error) { return l.PendingLastPerSubject(from) })
}

// count counts, and returns the last sequence of the stream as of the same instant.
func (s *Store) count(ctx context.Context, filters []Filters, by func(*read.Lookup) (uint64, error)) (total, validThrough uint64, err error) {
	err = s.ask(ctx, filters, func(l *read.Lookup) (err error) {
		validThrough = l.Last()
		total, err = by(l)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return total, validThrough, nil
}
