package read

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// LoadNext loads the first message at or after a sequence that a set selects, and returns its sequence.
// When there is none, the error is ErrEOF and skip is the last sequence of the stream as of the same
// instant. When damage is in the way that may have been a match, the error wraps ErrCorrupt and skip is
// the last sequence of it. With any other error skip is 0.
func (s *Source) LoadNext(ctx context.Context, start uint64, set subject.Set, into *Buffer) (skip uint64, err error) {
	return s.find(ctx, start, set, into, (*Lookup).Next, (*Lookup).Last, lastOf, "no message from %d on")
}

// LoadPrev is LoadNext downwards: it loads the last message at or before a sequence. With ErrEOF skip
// is the first sequence of the stream, with damage the first sequence of that.
func (s *Source) LoadPrev(ctx context.Context, start uint64, set subject.Set, into *Buffer) (skip uint64, err error) {
	return s.find(ctx, start, set, into, (*Lookup).Prev, (*Lookup).First, firstOf, "no message at or before %d")
}

// find finds a message and loads it. The message may be removed between the two; then the next one is
// found.
func (s *Source) find(ctx context.Context, start uint64, set subject.Set, into *Buffer,
	locate func(*Lookup, uint64) (uint64, bool, error), end func(*Lookup) uint64, behind func(*blockio.CorruptionError) uint64, nothing string,
) (skip uint64, err error) {
	for attempt := 0; ; attempt++ {
		found, rewinds := false, s.Published.Rewinds()
		err = s.Ask(ctx, set, func(l *Lookup) (err error) {
			if skip, found, err = locate(l, start); err == nil && !found {
				skip = end(l)
			}
			return err
		})
		switch {
		case err != nil:
			return skipOf(err, behind), err
		case !found:
			return skip, &noMatch{fmt.Sprintf(""+nothing+" is selected", start)}
		}
		if err = s.LoadSince(rewinds, skip, into); err == nil {
			return skip, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return skipOf(err, behind), err
		}
		if attempt == mostAttempts {
			return 0, vanished(skip, err)
		}
	}
}

// noMatch is the ErrEOF of who looks for a match: its sequence is not above the last one.
type noMatch struct{ text string }

func (e *noMatch) Error() string        { return e.text }
func (e *noMatch) Is(target error) bool { return target == ErrEOF }

// firstOf and lastOf return where damage begins and ends.
func firstOf(c *blockio.CorruptionError) uint64 { return c.Sequence }
func lastOf(c *blockio.CorruptionError) uint64  { return max(c.Sequence, c.Last) }

// skipOf returns the end of damage behind which a caller may go on, 0 for any other error.
func skipOf(err error, behind func(*blockio.CorruptionError) uint64) uint64 {
	var c *blockio.CorruptionError
	if errors.As(err, &c) {
		return behind(c)
	}
	return 0
}

// LoadNewestOf loads the newest message of a subject, where the subject index knows which it is: then no snapshot is needed, and no
// set. It reports false when that has to be asked of LoadNewest.
func (s *Source) LoadNewestOf(ctx context.Context, name string, into *Buffer) (answered bool, err error) {
	if ctx.Err() != nil {
		return true, context.Cause(ctx)
	}
	rewinds, tree := s.Published.Rewinds(), s.Published.Subjects()
	info, ok := tree.Guess(name)
	if !ok || !info.LastExact {
		return false, nil
	}
	if err = s.LoadSince(rewinds, info.Last, into); err == nil && string(into.Record.Subject) == name {
		return true, nil
	}
	// It is another subject's, or what is wrong with it is to be told only if it is not.
	if info, ok = tree.Get(name); !ok || !info.LastExact {
		return false, nil
	}
	err = s.LoadSince(rewinds, info.Last, into)
	return !errors.Is(err, ErrNotFound), err
}

// LoadNewest loads the newest message that a set selects. The error is ErrNotFound when there is none.
func (s *Source) LoadNewest(ctx context.Context, set subject.Set, into *Buffer) error {
	if name, exact := set.Exact(); exact {
		if answered, err := s.LoadNewestOf(ctx, name, into); answered {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		var sequence uint64
		rewinds := s.Published.Rewinds()
		err := s.Ask(ctx, set, func(l *Lookup) (err error) {
			sequence, err = l.Newest()
			return err
		})
		if err == nil && sequence == 0 {
			err = fmt.Errorf("%w: no subject matches", ErrNotFound)
		}
		if err != nil {
			return err
		}
		if err = s.LoadSince(rewinds, sequence, into); !errors.Is(err, ErrNotFound) {
			return err
		}
		if attempt == mostAttempts {
			return vanished(sequence, err)
		}
	}
}
