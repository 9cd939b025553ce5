package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// LoadMsg returns the message at a sequence, 0 for the first one: ErrEOF above the last
// one, ErrNotFound when it is gone, ErrStopped, or an ErrCorrupt that says where the
// record is damaged; ErrUnreadable as Truncate says. It sees every message whose store has returned, and none that was
// removed before the call. It takes constant time, and none of the writer's: messages
// of the block that is being written come from memory, others from the files, on the
// caller's goroutine, with one or two reads of a page when they are not in the page
// cache. A block without an index is read as a whole once.
func (s *Store) LoadMsg(ctx context.Context, sequence uint64) (Message, error) {
	var m MessageBuffer
	err := s.LoadMsgInto(ctx, sequence, &m)
	return m.Message, err
}

// LoadMsgInto is LoadMsg into memory of the caller's: it allocates nothing once the
// buffer has grown to the size of the messages. The message is valid until the next
// load into the buffer. On an error the buffer holds no message.
func (s *Store) LoadMsgInto(ctx context.Context, sequence uint64, into *MessageBuffer) error {
	if err := ctx.Err(); err != nil {
		into.Message = Message{}
		return context.Cause(ctx)
	}
	return s.load(sequence, into)
}

// load loads one message, whatever becomes of any context.
func (s *stream) load(sequence uint64, into *MessageBuffer) error {
	return into.took(s.source.Load(sequence, &into.buffer))
}

// loadSince is LoadMsg of what there was when the last sequence had gone back so often.
func (s *stream) loadSince(ctx context.Context, rewinds, sequence uint64) (Message, error) {
	if ctx.Err() != nil {
		return Message{}, context.Cause(ctx)
	}
	var m MessageBuffer
	err := m.took(s.source.LoadSince(rewinds, sequence, &m.buffer))
	return m.Message, err
}

// LoadNextMsg returns the first message at or after a sequence that the filters
// select, and its sequence as skip. When there is none the error is ErrEOF and skip
// the last sequence of the stream as of the same instant: a caller that goes on at
// skip+1 misses nothing. With ErrCorrupt the first that may match is lost, and skip is
// the last sequence of what is: go on at skip+1, if skip is not 0. With any other error
// skip is 0.
//
// It sees every message whose store has returned, and none that was removed before the
// call. It takes no time of the writer's. Within the next 64 sequences it looks at the
// records; beyond, it asks the subject index where a match can be (in proportion to
// the number of subjects that match), and then the index of each block from there on:
// a few reads a block that has no match, none once those are in memory.
func (s *Store) LoadNextMsg(ctx context.Context, start uint64, filters ...Filters) (m Message, skip uint64, err error) {
	return loadBy(ctx, start, filters, s.source.LoadNext)
}

// LoadPrevMsg returns the last message at or before a sequence that the filters
// select, and its sequence as skip. When there is none the error is ErrEOF and skip
// the first sequence of the stream; with ErrCorrupt, the first sequence of what is lost.
// In everything else it is like LoadNextMsg.
func (s *Store) LoadPrevMsg(ctx context.Context, start uint64, filters ...Filters) (m Message, skip uint64, err error) {
	return loadBy(ctx, start, filters, s.source.LoadPrev)
}

// loadBy loads the message that find finds.
func loadBy(ctx context.Context, start uint64, filters []Filters,
	find func(context.Context, uint64, subject.Set, *read.Buffer) (uint64, error),
) (Message, uint64, error) {
	var m MessageBuffer
	skip, err := loadByInto(ctx, start, &m, filters, find)
	return m.Message, skip, err
}

// LoadNextMsgInto is LoadNextMsg into memory of the caller's, as LoadMsgInto is LoadMsg.
func (s *Store) LoadNextMsgInto(ctx context.Context, start uint64, into *MessageBuffer, filters ...Filters) (skip uint64, err error) {
	return loadByInto(ctx, start, into, filters, s.source.LoadNext)
}

// LoadPrevMsgInto is LoadPrevMsg into memory of the caller's, as LoadMsgInto is LoadMsg.
func (s *Store) LoadPrevMsgInto(ctx context.Context, start uint64, into *MessageBuffer, filters ...Filters) (skip uint64, err error) {
	return loadByInto(ctx, start, into, filters, s.source.LoadPrev)
}

func loadByInto(ctx context.Context, start uint64, into *MessageBuffer, filters []Filters,
	find func(context.Context, uint64, subject.Set, *read.Buffer) (uint64, error),
) (skip uint64, err error) {
	set, err := setOf(filters)
	if err == nil {
		skip, err = find(ctx, start, set, &into.buffer)
	}
	return skip, into.took(err)
}

// LoadLastMsg returns the newest live message that the filters select, or ErrNotFound.
// For filters that name one subject it takes a look-up in the subject index and a
// load; otherwise time in proportion to the number of subjects that match. As to what
// it sees it is like LoadNextMsg.
func (s *Store) LoadLastMsg(ctx context.Context, filters ...Filters) (Message, error) {
	var m MessageBuffer
	err := s.LoadLastMsgInto(ctx, &m, filters...)
	return m.Message, err
}

// LoadLastMsgInto is LoadLastMsg into memory of the caller's, as LoadMsgInto is LoadMsg.
func (s *Store) LoadLastMsgInto(ctx context.Context, into *MessageBuffer, filters ...Filters) error {
	if len(filters) == 1 {
		if name, ok := filters[0].subject(); ok {
			if answered, err := s.source.LoadNewestOf(ctx, name, &into.buffer); answered {
				return into.took(err)
			}
		}
	}
	set, err := setOf(filters)
	if err == nil {
		err = s.source.LoadNewest(ctx, set, &into.buffer)
	}
	return into.took(err)
}

// SubjectForSeq returns the subject of the message at a sequence, or ErrNotFound. It
// costs what LoadMsg does.
func (s *Store) SubjectForSeq(ctx context.Context, sequence uint64) (string, error) {
	m, err := s.LoadMsg(ctx, sequence)
	if err == nil && sequence == 0 || errors.Is(err, ErrEOF) {
		return "", fmt.Errorf("%w: sequence %d", ErrNotFound, sequence)
	}
	return m.Subject, err
}
