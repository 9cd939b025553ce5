package actors

import (
	"context"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// FirstSeqForSubject returns the sequence of the first message with a subject, taken
// byte for byte, or 0 when there is none. Mostly it takes a look-up in the subject
// index; when older messages of the subject were removed it may have to look into the
// indexes of blocks, too.
func (s *Store) FirstSeqForSubject(ctx context.Context, subject string) (first uint64, err error) {
	if subject == "" {
		return 0, nil
	}
	err = s.ask(ctx, []Filters{Literal(subject)}, func(l *read.Lookup) (err error) {
		first, err = l.Oldest()
		return err
	})
	return first, err
}

// GetSeqFromTime returns the sequence of the first message whose time is not before t,
// and LastSequence+1 when there is none. Where times are out of order, messages behind it may be
// earlier than t. It costs time in proportion to the number of blocks, and looks into the index of
// one of them; where times are out of order, or late messages were removed, into all records of some.
func (s *Store) GetSeqFromTime(ctx context.Context, t time.Time) (sequence uint64, err error) {
	wanted, ok := read.ClampTime(t)
	err = s.ask(ctx, nil, func(l *read.Lookup) (err error) {
		if sequence = l.Last() + 1; !ok {
			return nil // no message can be that late
		}
		sequence, err = l.AtTime(wanted)
		return err
	})
	return sequence, err
}
