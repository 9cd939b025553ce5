package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

type subjectInfo = subjects.Info

// LoadMsgInto is LoadMsg into memory of the caller's: it allocates nothing once the
// buffer has grown to the size of the messages. The message is valid until the next
// load into the buffer. On an error the buffer holds no message.
func (s *Store) LoadMsgInto(ctx context.Context, sequence uint64, into *MessageBuffer) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return s.load(sequence, into)
}

// LoadNextMsg returns the first message at or after a sequence that the filters
// select, and its sequence as skip. When there is none the error is ErrEOF and skip
// the last sequence of the stream as of the same instant: a caller that goes on at
// skip+1 misses nothing. With any other error skip is 0.
//
// It sees every message whose store has returned, and none that was removed before the
// call. It takes no time of the writer's. Within the next 64 sequences it looks at the
// records; beyond, it asks the subject index where a match can be (in proportion to
// the number of subjects that match), and then the index of each block from there on:
// a few reads a block that has no match, none once those are in memory.
func (s *Store) LoadNextMsg(ctx context.Context, start uint64, filters ...Filters) (m Message, skip uint64, err error) {
	return s.step(ctx, start, filters, (*lookup).next, func(l *lookup) uint64 { return l.now.LastSequence })
}

// LoadPrevMsg returns the last message at or before a sequence that the filters
// select, and its sequence as skip. When there is none the error is ErrEOF and skip
// the first sequence of the stream. In everything else it is like LoadNextMsg.
func (s *Store) LoadPrevMsg(ctx context.Context, start uint64, filters ...Filters) (m Message, skip uint64, err error) {
	return s.step(ctx, start, filters, (*lookup).prev, func(l *lookup) uint64 { return l.now.FirstSequence })
}

// step finds a message and loads it. It may be removed between the two; then the next
// one is found.
func (s *Store) step(ctx context.Context, start uint64, filters []Filters,
	find func(*lookup, uint64) (uint64, bool, error), end func(*lookup) uint64,
) (m Message, skip uint64, err error) {
	set := setOf(filters)
	for attempt := 0; ; attempt++ {
		found := false
		err = s.ask(ctx, set, func(l *lookup) (err error) {
			if skip, found, err = find(l, start); err == nil && !found {
				skip = end(l)
			}
			return err
		})
		switch {
		case err != nil:
			return Message{}, 0, err
		case !found:
			return Message{}, skip, fmt.Errorf("%w: no message from %d on", ErrEOF, start)
		}
		var buffer MessageBuffer
		if err = s.load(skip, &buffer); !errors.Is(err, ErrNotFound) {
			if err != nil {
				return Message{}, 0, err
			}
			return buffer.Message, skip, nil
		}
		if attempt == mostAttempts {
			return Message{}, 0, s.vanished(skip, err)
		}
	}
}

// vanished is the error for a message that the index has and that cannot be loaded,
// time and again.
func (s *stream) vanished(sequence uint64, err error) error {
	return fmt.Errorf("%w: message %d is indexed and cannot be found: %w", ErrCorrupt, sequence, err)
}

// LoadLastMsg returns the newest live message that the filters select, or ErrNotFound.
// For filters that name one subject it takes a look-up in the subject index and a
// load; otherwise time in proportion to the number of subjects that match. As to what
// it sees it is like LoadNextMsg.
func (s *Store) LoadLastMsg(ctx context.Context, filters ...Filters) (Message, error) {
	set := setOf(filters)
	literal, exact := set.Exact()
	for attempt := 0; ; attempt++ {
		var sequence uint64
		if exact && attempt == 0 {
			if info, ok := s.published.Subjects().Get([]byte(literal)); ok && info.LastExact {
				var buffer MessageBuffer
				if err := s.LoadMsgInto(ctx, info.Last, &buffer); !errors.Is(err, ErrNotFound) {
					return buffer.Message, err
				}
			}
		}
		err := s.ask(ctx, set, func(l *lookup) (err error) {
			sequence, err = l.last()
			return err
		})
		if err == nil && sequence == 0 {
			err = fmt.Errorf("%w: no subject matches", ErrNotFound)
		}
		if err != nil {
			return Message{}, err
		}
		var buffer MessageBuffer
		if err = s.load(sequence, &buffer); !errors.Is(err, ErrNotFound) {
			return buffer.Message, err
		}
		if attempt == mostAttempts {
			return Message{}, s.vanished(sequence, err)
		}
	}
}

// last returns the sequence of the newest message that the set selects, or 0.
func (l *lookup) last() (uint64, error) {
	if name, ok := l.set.Exact(); ok {
		if info, ok := l.now.Subjects.Get([]byte(name)); !ok {
			return 0, nil
		} else if info.LastExact {
			return info.Last, nil
		}
	}
	sequence, _, err := l.prev(l.now.LastSequence)
	return sequence, err
}

// SubjectForSeq returns the subject of the message at a sequence, or ErrNotFound. It
// costs what LoadMsg does.
func (s *Store) SubjectForSeq(ctx context.Context, sequence uint64) (string, error) {
	m, err := s.LoadMsg(ctx, sequence)
	if err == nil && sequence == 0 || errors.Is(err, ErrEOF) {
		return "", notFound(sequence)
	}
	return m.Subject, err
}

// FirstSeqForSubject returns the sequence of the first message with a subject, taken
// byte for byte, or 0 when there is none. Mostly it takes a look-up in the subject
// index; when older messages of the subject were removed it may have to look into the
// indexes of blocks, too.
func (s *Store) FirstSeqForSubject(ctx context.Context, subject string) (first uint64, err error) {
	if subject == "" {
		return 0, nil
	}
	err = s.ask(ctx, setOf([]Filters{Literal(subject)}), func(l *lookup) (err error) {
		first = 0
		info, ok := l.now.Subjects.Get([]byte(subject))
		if !ok {
			return nil
		}
		if first = info.First; !info.FirstExact {
			first, _, err = l.next(info.First)
		}
		return err
	})
	return first, err
}

// GetSeqFromTime returns the sequence of the first message whose time is not before t,
// and LastSequence+1 when there is none. It takes for granted that times do not go
// back. It costs time in proportion to the number of blocks, and looks into the index
// of one of them.
func (s *Store) GetSeqFromTime(ctx context.Context, t time.Time) (sequence uint64, err error) {
	wanted, ok := clampTime(t)
	err = s.ask(ctx, setOf(nil), func(l *lookup) (err error) {
		sequence = l.now.LastSequence + 1
		if !ok {
			return nil
		}
		sequence, err = l.atTime(wanted)
		return err
	})
	return sequence, err
}

// clampTime returns a time in nanoseconds, and false when it is after all that a
// message can have.
func clampTime(t time.Time) (nanoseconds int64, ok bool) {
	switch {
	case t.Before(firstTime):
		return firstTime.UnixNano(), true
	case t.After(lastTime):
		return 0, false
	}
	return t.UnixNano(), true
}

// atTime returns the sequence of the first live message whose time is not before one,
// or what follows the last.
func (l *lookup) atTime(wanted int64) (sequence uint64, err error) {
	sequence = l.now.LastSequence + 1
	if l.now.Messages == 0 {
		return sequence, nil
	}
	blocks := l.now.View.Blocks()
	for i := l.block(l.now.FirstSequence); i < len(blocks) && sequence > l.now.LastSequence; i++ {
		if blocks[i].LastTime() < wanted {
			continue
		}
		err := l.parts(i, l.now.FirstSequence, l.now.LastSequence, false, func(p *part, low, high int) error {
			at, err := p.table.searchTime(wanted)
			if err != nil || at >= high {
				return err
			}
			at, err = p.next(&l.set, max(at, low), high)
			if err != nil || at == high {
				return err
			}
			if sequence, err = p.table.sequence(at); err != nil {
				return err
			}
			return errStopVisit
		})
		if err = enough(err); err != nil {
			return 0, err
		}
	}
	return sequence, nil
}
