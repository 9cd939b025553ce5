package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// SubjectsTotals returns how many messages each subject has that the filters select:
// nil when no subject has messages, an empty map when none is selected. It is of one
// instant, takes time and memory in proportion to the number of subjects that match,
// and reads no disk. The map is the caller's.
func (s *Store) SubjectsTotals(ctx context.Context, filters ...Filters) (totals map[string]uint64, err error) {
	return s.subjectsTotals(ctx, filters, read.Bound{})
}

func (s *stream) subjectsTotals(ctx context.Context, filters []Filters, most read.Bound) (totals map[string]uint64, err error) {
	err = s.ask(ctx, filters, func(l *read.Lookup) error {
		totals = nil
		if err := l.Within(most); err != nil {
			return err
		}
		totals = l.Totals()
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
	return s.subjectsState(ctx, filters, read.Bound{})
}

func (s *stream) subjectsState(ctx context.Context, filters []Filters, most read.Bound) (states map[string]SubjectState, err error) {
	err = s.ask(ctx, filters, func(l *read.Lookup) (err error) {
		if states, err = nil, l.Within(most); err != nil {
			return err
		}
		states, err = read.States[SubjectState](l)
		return err
	})
	return states, err
}
