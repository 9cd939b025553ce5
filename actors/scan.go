package actors

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// ReadOption changes what Messages gives.
type ReadOption func(*readOptions)

type readOptions struct {
	from     uint64
	borrowed bool
}

// From begins at the first message at or above a sequence. Default: at the first
// message.
func From(sequence uint64) ReadOption { return func(o *readOptions) { o.from = sequence } }

// Borrowed makes the messages share their bytes with the iterator: they are valid
// until its next step, and must not be changed. It saves an allocation and a copy
// a message.
func Borrowed() ReadOption { return func(o *readOptions) { o.borrowed = true } }

// Messages gives the live messages in order, up to the one that was the last when
// the iteration began. Messages that are removed meanwhile may be missing; no
// message comes twice or out of order. It reads the files on the caller's
// goroutine in stretches of 256 KiB, holds no more than one of them, and does not
// slow down the writer.
//
// A damaged record gives an error that wraps ErrCorrupt, with a zero Message, and
// the iteration goes on behind it. Any other error, the end of the context and
// ErrStopped among them, is the last thing the iteration gives.
func (s *Store) Messages(ctx context.Context, opts ...ReadOption) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		sc := newScan(ctx, s.stream, opts)
		sc.emit = yield
		sc.run()
	}
}

// scan is one iteration over the messages of a stream.
type scan struct {
	readOptions
	*stream
	ctx    context.Context
	ended  <-chan struct{}
	emit   func(Message, error) bool
	next   uint64 // sequence to go on at
	last   uint64 // where to end
	seen   uint64 // highest sequence that the records of the block account for
	buffer []byte
	pooled *[]byte // what buffer was at first
	record blockio.Record
}

// scanStretch is how much of a file a scan reads at a time, in bytes.
const scanStretch = 256 << 10

var scanBuffers = sync.Pool{New: func() any { b := make([]byte, scanStretch); return &b }}

// putBuffer gives the buffer back. Borrowed messages may be looked at after the
// last step.
func (sc *scan) putBuffer() {
	if sc.pooled != nil && !sc.borrowed {
		scanBuffers.Put(sc.pooled)
	}
	sc.buffer, sc.pooled = nil, nil
}

func newScan(ctx context.Context, s *stream, opts []ReadOption) *scan {
	sc := &scan{stream: s, ctx: ctx, ended: ctx.Done(), last: s.published.Last()}
	for _, opt := range opts {
		opt(&sc.readOptions)
	}
	sc.next = max(sc.from, 1)
	return sc
}

// run goes from block to block.
func (sc *scan) run() {
	defer sc.putBuffer()
	for {
		if err := sc.ctx.Err(); err != nil {
			sc.emit(Message{}, context.Cause(sc.ctx))
			return
		}
		if sc.stopped.Load() {
			sc.emit(Message{}, ErrStopped)
			return
		}
		sc.next = max(sc.next, sc.published.First())
		if sc.next > sc.last {
			return
		}
		view := sc.published.View()
		b := view.Find(sc.next)
		if b == nil {
			if blocks := view.Blocks(); len(blocks) > 0 && blocks[0].First > sc.next {
				sc.next = blocks[0].First
				continue
			}
			return
		}
		if !sc.block(b) {
			return
		}
		after := sc.published.View().Next(b)
		if after == nil {
			// The block is the last one, so all there is was in it.
			if sc.published.View().Find(sc.next) == b || sc.next > sc.last {
				return
			}
			continue
		}
		sc.next = max(sc.next, after.First)
	}
}

// block gives the messages of one block. It reports whether to go on.
func (sc *scan) block(b *engine.BlockView) bool {
	if b.Tail == nil {
		return sc.file(b, math.MaxUint64)
	}
	if from := b.Tail.From(); !b.Tail.Covers(sc.next) {
		if !sc.file(b, from) {
			return false
		}
		sc.next = max(sc.next, from)
		if sc.next > sc.last {
			return true
		}
	}
	known, more := sc.memory(b)
	if known || !more {
		return more
	}
	// The memory has gone since; the file has it all.
	return sc.file(b, math.MaxUint64)
}

// file gives the messages below a sequence from the block's file. It reports
// whether to go on.
func (sc *scan) file(b *engine.BlockView, below uint64) bool {
	more, err := sc.readFile(b, below)
	if err != nil {
		return sc.fileError(b, err)
	}
	return more
}

// fileError decides what an error of a block's file means.
func (sc *scan) fileError(b *engine.BlockView, err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		if sc.published.View().Find(sc.next) != b || sc.next < sc.published.First() {
			return true // the block went, with its messages
		}
		// Like damage: it costs what it covers, and the next block is read.
		return sc.emit(Message{}, sc.missing(b, sc.next, err))
	}
	sc.emit(Message{}, err)
	return false
}

// memory gives the messages of a block that are in memory.
func (sc *scan) memory(b *engine.BlockView) (known, more bool) {
	key := sc.key(b.ID)
	more, here := true, true
	known = b.Tail.Records(sc.next, func(sequence uint64, offset int64, size int) bool {
		if sequence > sc.last {
			return false
		}
		bytes := b.Tail.Bytes(offset, size)
		if bytes == nil {
			here = false
			return false
		}
		r, err := key.Decode(bytes)
		if err != nil {
			sc.next = sequence + 1
			more = sc.damaged(sc.corrupt(b, offset, sequence, "record is damaged", err))
			return more
		}
		sc.record = r
		more = sc.give(b)
		return more
	})
	return known && here, more
}

// give hands out the current record if its message is live and wanted. It
// reports whether to go on.
func (sc *scan) give(b *engine.BlockView) bool {
	r := &sc.record
	if r.Sequence < sc.next || r.Sequence < sc.published.First() || b.Removed(r.Sequence) {
		return true
	}
	select {
	case <-sc.ended:
		sc.emit(Message{}, context.Cause(sc.ctx))
		return false
	default:
	}
	sc.next = r.Sequence + 1
	if sc.borrowed {
		return sc.emit(borrowMessage(r), nil)
	}
	return sc.emit(copyMessage(r), nil)
}

// damaged hands out an error of a record. A store that has stopped meanwhile has
// no blocks any more to judge by.
func (sc *scan) damaged(err error) bool {
	if sc.stopped.Load() {
		sc.emit(Message{}, ErrStopped)
		return false
	}
	return sc.emit(Message{}, err)
}

// readFile gives messages from a block's file.
func (sc *scan) readFile(b *engine.BlockView, below uint64) (more bool, err error) {
	file, err := sc.runtime.files.Acquire(sc.fileSystem(), sc.blockPath(b.ID))
	if err != nil {
		return false, err
	}
	defer file.Release()
	below = min(below, sc.last+1)
	offset := int64(0)
	sc.seen = 0
	if sc.next > b.First {
		// Somewhere inside: the index knows where.
		if offset, more, err = sc.start(b, file); err != nil || !more {
			return false, err
		}
		if offset < 0 {
			return sc.endOfFile(b, 0, below, ErrCorrupt), nil
		}
	}
	if sc.buffer == nil {
		sc.pooled = scanBuffers.Get().(*[]byte)
		sc.buffer = *sc.pooled
	}
	return sc.records(b, file, offset, below)
}

// records gives messages from an offset of a block's file on.
func (sc *scan) records(b *engine.BlockView, file *blockio.CachedFile, offset int64, below uint64) (more bool, err error) {
	key := sc.key(b.ID)
	filled, used := 0, 0
	for sc.next < below {
		err := key.DecodeInto(sc.buffer[used:filled], &sc.record)
		switch {
		case err == nil:
			if sc.record.Kind == blockio.KindMessage {
				if sc.record.Sequence >= below {
					return true, nil
				}
				if !sc.give(b) {
					return false, nil
				}
			}
			sc.seen = max(sc.seen, sc.record.Sequence)
			used += sc.record.Size
			offset += int64(sc.record.Size)
		case errors.Is(err, blockio.ErrShort):
			have := filled - used
			copy(sc.buffer, sc.buffer[used:filled])
			sc.grow(have)
			if filled, err = sc.fill(file, offset, have); err != nil {
				return false, err
			}
			if used = 0; filled == have {
				return sc.endOfFile(b, offset, below, blockio.ErrShort), nil
			}
		default:
			if offset, more, err = sc.around(b, file, offset, below, err); err != nil || !more || offset < 0 {
				return more, err
			}
			filled, used = 0, 0
		}
	}
	return true, nil
}

// endOfFile ends a block. What lies behind its last intact record may be zeros
// that were written ahead, or a group that is just being written; but when the
// records do not account for all sequences, there is damage. It reports whether
// to go on.
func (sc *scan) endOfFile(b *engine.BlockView, offset int64, below uint64, cause error) bool {
	if after := sc.published.View().Next(b); after != nil {
		below = min(below, after.First)
	}
	if sc.seen+1 >= below || sc.published.First() >= below {
		return true
	}
	lost := max(sc.next, sc.seen+1)
	sc.next = below
	return sc.damaged(sc.corrupt(b, offset, lost, "no intact record", cause))
}

// around finds the first intact record behind a damaged one. It returns -1 when
// the block has none.
func (sc *scan) around(b *engine.BlockView, file *blockio.CachedFile, offset int64, below uint64, cause error) (next int64, more bool, err error) {
	data, err := readWhole(file)
	if err != nil {
		return 0, false, err
	}
	index := buildIndex(sc.blockPath(b.ID), b.ID, sc.key(b.ID), data)
	for i, o := range index.offsets {
		if int64(o) > offset {
			lost, after := sc.next, index.sequence(i)
			if lost >= after || b.Removed(lost) {
				lost = 0 // no message, or it cannot be told which
			}
			sc.next = max(sc.next, min(after, below))
			return int64(o), sc.damaged(sc.corrupt(b, offset, lost, "record is damaged", cause)), nil
		}
	}
	// Skips and tombstones may follow.
	sc.seen = max(sc.seen, index.last)
	return -1, sc.endOfFile(b, offset, below, cause), nil
}

// start returns the offset of the first record to give, or -1 when the block has
// none. It reports whether to go on.
func (sc *scan) start(b *engine.BlockView, file *blockio.CachedFile) (offset int64, more bool, err error) {
	index, err := sc.indexOf(b, file, sc.next)
	if err != nil {
		return 0, false, err
	}
	i := index.search(sc.next)
	if i == len(index.offsets) {
		sc.seen = index.last
		return -1, true, nil
	}
	more = true
	if index.damaged && index.sequence(i) != sc.next && !b.Removed(sc.next) {
		// The scan begins at a damaged record, and goes on behind it.
		lost := sc.next
		sc.next = index.sequence(i)
		more = sc.damaged(sc.corrupt(b, 0, lost, "no intact record", ErrCorrupt))
	}
	return int64(index.offsets[i]), more, nil
}

// grow makes room for a record that is longer than the buffer and begins at its
// start.
func (sc *scan) grow(have int) {
	if have < 4 {
		return
	}
	size := int(binary.LittleEndian.Uint32(sc.buffer) &^ (1 << 31))
	if size > len(sc.buffer) && size <= blockio.MaxRecordSize {
		larger := make([]byte, size)
		copy(larger, sc.buffer[:have])
		sc.buffer = larger
	}
}

// fill reads the file behind the bytes that are there, and returns how many there
// are then.
func (sc *scan) fill(file *blockio.CachedFile, offset int64, have int) (int, error) {
	n, err := file.ReadAt(sc.buffer[have:], offset+int64(have))
	if err != nil && err != io.EOF {
		return 0, err
	}
	return have + n, nil
}
