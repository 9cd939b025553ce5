package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// LoadMsg returns the message at a sequence, 0 for the first one: ErrEOF above the last
// one, ErrNotFound when it is gone, ErrStopped, or an ErrCorrupt that says where the
// record is damaged. It sees every message whose store has returned, and none that was
// removed before the call. It takes constant time, and none of the writer's: messages
// of the block that is being written come from memory, others from the files, on the
// caller's goroutine, with one or two reads of a page when they are not in the page
// cache. A block without an index is read as a whole once.
func (s *Store) LoadMsg(ctx context.Context, sequence uint64) (Message, error) {
	var m MessageBuffer
	if err := s.LoadMsgInto(ctx, sequence, &m); err != nil {
		return Message{}, err
	}
	return m.Message, nil
}

// loadsBetween is after how many loads into a buffer others are let run. A load without
// a buffer of its own asks as often, at random.
const loadsBetween = 128

// load reads one message.
func (s *stream) load(sequence uint64, into *MessageBuffer) error {
	if into.loads++; into.loads%loadsBetween == 0 || into.bytes == nil && rand.Uint32()%loadsBetween == 0 {
		into.pace.letRun(s)
	}
	into.Message = Message{}
	for attempt := 0; ; attempt++ {
		// Both as of one instant: who sees a message must not see what it evicted.
		first, last := s.published.Range()
		wanted := sequence
		if wanted == 0 {
			wanted = first
		}
		switch {
		case s.stopped.Load():
			return ErrStopped
		case wanted > last || last == 0:
			return fmt.Errorf("%w: %d, last is %d", ErrEOF, wanted, last)
		case wanted < first:
			return notFound(wanted)
		}
		b := s.published.View().Find(wanted)
		if b == nil {
			// It is being evicted: the view is a moment ahead of the numbers.
			runtime.Gosched()
			continue
		}
		if b.Removed(wanted) {
			return notFound(wanted)
		}
		err := s.loadFrom(b, wanted, into)
		switch {
		case err == nil || !worthAnotherTry(err):
			return err
		case errors.Is(err, fs.ErrNotExist) && attempt > 0 && s.published.View().Find(wanted) == b && wanted >= s.published.First():
			// The view still has the block: its file is gone behind our back.
			return s.missing(b, wanted, err)
		case attempt > mostAttempts:
			return s.corrupt(b, 0, wanted, "cannot be read", err)
		}
	}
}

// mostAttempts bounds how often a read begins anew because an index was of no use or
// memory went. Twice would do; but the engine may go on at any moment.
const mostAttempts = 100

func notFound(sequence uint64) error { return fmt.Errorf("%w: %d", ErrNotFound, sequence) }

func (s *stream) missing(b *engine.BlockView, sequence uint64, err error) error {
	return s.corrupt(b, 0, sequence, "block file is missing", fmt.Errorf("%w: %w", ErrCorrupt, err))
}

func (s *stream) corrupt(b *engine.BlockView, offset int64, sequence uint64, reason string, err error) error {
	return &blockio.CorruptionError{
		Path: s.blockPath(b.ID), Block: b.ID, Offset: offset, Sequence: sequence, Reason: reason, Err: err,
	}
}

// loadFrom reads one message of a block, from memory if it is there.
func (s *stream) loadFrom(b *engine.BlockView, sequence uint64, into *MessageBuffer) error {
	if b.Tail != nil {
		if offset, size, found, known := b.Tail.Locate(sequence); known && found {
			if bytes := b.Tail.Bytes(offset, size); bytes != nil {
				return s.take(b, bytes, offset, sequence, into)
			}
		} else if known && b.Tail.Covers(sequence) {
			return notFound(sequence)
		}
	}
	r, err := s.acquire(b, sequence)
	if err != nil {
		return err
	}
	defer r.release()
	return r.load(b, sequence, into)
}

// load reads one message of the block's file.
func (r *blockReader) load(b *engine.BlockView, sequence uint64, into *MessageBuffer) (err error) {
	pooled := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(pooled)
	err = blockio.Guard(func() error {
		i, found, err := r.index.Ordinal(sequence)
		if err != nil {
			return err
		}
		if !found {
			if r.sum.Damage == 0 || sequence < r.stream.published.First() {
				return notFound(sequence)
			}
			return r.stream.corrupt(b, 0, sequence, "no intact record", ErrCorrupt)
		}
		data, offset, err := r.record(i, pooled)
		switch {
		case err == nil:
			return r.stream.take(b, data, offset, sequence, into)
		case errors.Is(err, blockio.ErrCorrupt) && !unusable(err):
			return r.stream.corrupt(b, offset, sequence, "record is damaged", err)
		}
		return err
	})
	if err != nil && unusable(err) {
		r.stream.discard(r, err)
	}
	return err
}

// take copies a record, which is known to be intact, into a message.
func (s *stream) take(b *engine.BlockView, bytes []byte, offset int64, sequence uint64, into *MessageBuffer) error {
	var record blockio.Record
	if err := blockio.Parse(bytes, &record); err != nil {
		return s.corrupt(b, offset, sequence, "record is damaged", err)
	}
	if record.Kind != blockio.KindMessage || record.Sequence != sequence {
		return s.corrupt(b, offset, sequence, "record is another one", ErrCorrupt)
	}
	into.fill(&record)
	return nil
}

// fill makes the buffer's message a copy of a record.
func (m *MessageBuffer) fill(r *blockio.Record) {
	n := len(r.Subject) + len(r.Header) + len(r.Payload)
	if cap(m.bytes) < n {
		m.bytes = make([]byte, n)
	}
	b := m.bytes[:n]
	h := copy(b, r.Subject)
	p := h + copy(b[h:], r.Header)
	copy(b[p:], r.Payload)
	m.Message = Message{Sequence: r.Sequence, Time: timeOf(r.Time), Payload: b[p:n:n]}
	if h > 0 {
		// These bytes change no more while the message is valid: nothing else
		// reaches them.
		m.Subject = unsafe.String(&b[0], h)
	}
	if p > h {
		m.HeaderBlock = b[h:p:p]
	}
}
