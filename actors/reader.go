package actors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// LoadMsg returns the message at a sequence: ErrEOF above the last one,
// ErrNotFound when it is gone, ErrStopped, or an ErrCorrupt that says where the
// record is damaged. It sees every message whose store has returned. Messages of
// the block that is being written come from memory, others from the files, on the
// caller's goroutine; the first message that is read of a block costs a scan of
// the block.
func (s *Store) LoadMsg(ctx context.Context, sequence uint64) (Message, error) {
	if err := ctx.Err(); err != nil {
		return Message{}, context.Cause(ctx)
	}
	return s.load(sequence)
}

func (s *stream) load(sequence uint64) (Message, error) {
	for {
		// Both as of one instant: who sees a message must not see what it evicted.
		switch first, last := s.published.Range(); {
		case s.stopped.Load():
			return Message{}, ErrStopped
		case sequence > last:
			return Message{}, fmt.Errorf("%w: %d, last is %d", ErrEOF, sequence, last)
		case sequence < first || sequence == 0:
			return Message{}, notFound(sequence)
		}
		b := s.published.View().Find(sequence)
		if b == nil {
			// It is being evicted: the view is a moment ahead of the numbers.
			runtime.Gosched()
			continue
		}
		if b.Removed(sequence) {
			return Message{}, notFound(sequence)
		}
		m, err := s.loadFrom(b, sequence)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
		// The block went between the look at the view and the file. If the view
		// still has it, its file is gone behind our back.
		if s.published.View().Find(sequence) == b && sequence >= s.published.First() {
			return Message{}, s.missing(b, sequence, err)
		}
	}
}

func notFound(sequence uint64) error { return fmt.Errorf("%w: %d", ErrNotFound, sequence) }

func (s *stream) missing(b *engine.BlockView, sequence uint64, err error) error {
	return &blockio.CorruptionError{
		Path: s.blockPath(b.ID), Block: b.ID, Sequence: sequence, Reason: "block file is missing",
		Err: fmt.Errorf("%w: %w", ErrCorrupt, err),
	}
}

// loadFrom reads one message of a block, from memory if it is there.
func (s *stream) loadFrom(b *engine.BlockView, sequence uint64) (Message, error) {
	if b.Tail != nil {
		if offset, size, found, known := b.Tail.Locate(sequence); known && found {
			if bytes := b.Tail.Bytes(offset, size); bytes != nil {
				return s.decodeCopy(b, s.key(b.ID), bytes, offset, sequence)
			}
			return s.readAt(b, offset, sequence)
		} else if known && b.Tail.Covers(sequence) {
			return Message{}, notFound(sequence)
		}
	}
	file, err := s.runtime.files.Acquire(s.fileSystem(), s.blockPath(b.ID))
	if err != nil {
		return Message{}, err
	}
	defer file.Release()
	index, err := s.indexOf(b, file, sequence)
	if err != nil {
		return Message{}, err
	}
	offset, ok := index.find(sequence)
	if !ok {
		if sequence < s.published.First() || !index.damaged {
			return Message{}, notFound(sequence)
		}
		return Message{}, s.corrupt(b, 0, sequence, "no intact record", ErrCorrupt)
	}
	return s.readRecord(b, file, index.key, offset, sequence)
}

// readAt reads the record of a sequence whose place in the file is known.
func (s *stream) readAt(b *engine.BlockView, offset int64, sequence uint64) (Message, error) {
	file, err := s.runtime.files.Acquire(s.fileSystem(), s.blockPath(b.ID))
	if err != nil {
		return Message{}, err
	}
	defer file.Release()
	return s.readRecord(b, file, s.key(b.ID), offset, sequence)
}

func (s *stream) corrupt(b *engine.BlockView, offset int64, sequence uint64, reason string, err error) error {
	return &blockio.CorruptionError{
		Path: s.blockPath(b.ID), Block: b.ID, Offset: offset, Sequence: sequence, Reason: reason, Err: err,
	}
}

// recordBuffers hold records while they are checked and copied.
var recordBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}

// readRecord reads the record at an offset with one read, or two when it is long.
func (s *stream) readRecord(b *engine.BlockView, file *blockio.CachedFile, key *blockio.BlockKey, offset int64, sequence uint64) (Message, error) {
	pooled := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(pooled)
	buffer := *pooled
	n, err := file.ReadAt(buffer, offset)
	if err != nil && err != io.EOF {
		return Message{}, err
	}
	if n >= 4 {
		size := int(binary.LittleEndian.Uint32(buffer) &^ (1 << 31))
		if size > n && size <= blockio.MaxRecordSize {
			buffer = make([]byte, size)
			if n, err = file.ReadAt(buffer, offset); err != nil && err != io.EOF {
				return Message{}, err
			}
		}
	}
	return s.decodeCopy(b, key, buffer[:n], offset, sequence)
}

// decodeCopy verifies a record and copies it into a message.
func (s *stream) decodeCopy(b *engine.BlockView, key *blockio.BlockKey, bytes []byte, offset int64, sequence uint64) (Message, error) {
	r, err := key.Decode(bytes)
	if err != nil {
		return Message{}, s.corrupt(b, offset, sequence, "record is damaged", err)
	}
	if r.Kind != blockio.KindMessage || r.Sequence != sequence {
		return Message{}, s.corrupt(b, offset, sequence, "record is another one", ErrCorrupt)
	}
	return copyMessage(&r), nil
}

// indexOf returns the index of a block that covers a sequence.
func (s *stream) indexOf(b *engine.BlockView, file *blockio.CachedFile, sequence uint64) (*readIndex, error) {
	key := indexKey{s, b.ID}
	if x := s.runtime.indexes.get(key); x != nil && x.covers(sequence) {
		return x, nil
	}
	data, err := readWhole(file)
	if err != nil {
		return nil, err
	}
	x := buildIndex(s.blockPath(b.ID), b.ID, s.key(b.ID), data)
	s.runtime.indexes.put(key, x)
	return x, nil
}

func readWhole(file *blockio.CachedFile) ([]byte, error) {
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := file.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return data[:n], nil
}
