package read

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// ScanOptions say what a scan reads.
type ScanOptions struct {
	Set      subject.Set
	From     uint64 // sequence to begin at: 0 for the first message or, with Reverse, for the last
	Since    time.Time
	HasSince bool // begin at the first message whose time is not before Since
	Reverse  bool
	// Follow: Run is called again when the stream has grown.
	Follow bool
	// Borrowed: records that were handed out may be looked at until the next one is.
	Borrowed bool
}

// Scan is one iteration over the messages of a stream.
type Scan struct {
	ScanOptions
	*Source
	ctx   context.Context
	ended <-chan struct{}
	// emit gets each message, or an error with a nil record. It reports whether to go on.
	emit   func(*blockio.Record, error) bool
	next   uint64 // sequence to go on at
	last   uint64 // where to end
	seen   uint64 // highest sequence that the records of the block account for
	buffer []byte
	pooled *[]byte // what buffer was at first
	record blockio.Record

	members  bitset // memory
	given    int    // messages, since others were let run
	checker  checker
	pace     pace
	attempts int    // at the same block
	early    int64  // messages of earlier times are not wanted
	lowest   uint64 // Reverse: where to end
}

// scanStretch is how much of a file a scan reads at a time, in bytes.
const scanStretch = 256 << 10

var scanBuffers = sync.Pool{New: func() any { b := make([]byte, scanStretch); return &b }}

// putBuffer gives the buffer back. Borrowed messages may be looked at after the
// last step.
func (sc *Scan) putBuffer() {
	if sc.pooled != nil && !sc.Borrowed {
		scanBuffers.Put(sc.pooled)
	}
	sc.buffer, sc.pooled = nil, nil
}

// NewScan returns a scan up to the message that is the last one now. emit gets each message, or an
// error with a nil record, and reports whether to go on.
func (s *Source) NewScan(ctx context.Context, o ScanOptions, emit func(*blockio.Record, error) bool) *Scan {
	sc := &Scan{ScanOptions: o, Source: s, ctx: ctx, ended: ctx.Done(), emit: emit, last: s.Published.Last(), early: math.MinInt64}
	sc.next = max(sc.From, 1)
	if sc.Reverse {
		sc.next = sc.last
		if sc.From > 0 {
			sc.next = min(sc.From, sc.last)
		}
	}
	return sc
}

// Next returns the sequence at which the scan goes on, and End the last one that it looks at.
func (sc *Scan) Next() uint64 { return sc.next }

// End returns the last sequence that the scan looks at.
func (sc *Scan) End() uint64 { return sc.last }

// Extend moves the end of the scan to the last message there is now, for another Run behind what has
// been looked at. It reports whether there is more to look at.
func (sc *Scan) Extend() bool {
	sc.next = max(sc.next, sc.last+1)
	sc.last = max(sc.last, sc.Published.Last())
	return sc.last >= sc.next
}

// Run goes from block to block. It reports whether it came to the end; if not, emit has got the reason
// or has ended the scan.
func (sc *Scan) Run() bool {
	defer sc.putBuffer()
	if sc.HasSince && !sc.seekTime() {
		return false
	}
	narrowed := sc.Set.All()
	for {
		if err := sc.ctx.Err(); err != nil {
			sc.emit(nil, context.Cause(sc.ctx))
			return false
		}
		if sc.Stopped.Load() {
			sc.emit(nil, ErrStopped)
			return false
		}
		// Of one instant: a message is in a block of the view, or not live.
		now := sc.Published.Extent()
		if !sc.Reverse {
			sc.next = max(sc.next, now.FirstSequence)
		}
		if sc.next > sc.last || sc.next < now.FirstSequence || sc.next == 0 || sc.Set.None() {
			return true
		}
		b := now.View.Find(sc.next)
		if b == nil {
			continue // the store is stopping
		}
		if !narrowed && sc.farToGo(now.View) {
			narrowed = true
			if sc.narrow() {
				continue
			}
			return true
		}
		if more, end := sc.step(b); !more {
			return false
		} else if end {
			return true
		}
	}
}

// step gives the messages of a block, and goes on to the next one.
func (sc *Scan) step(b *engine.BlockView) (more, end bool) {
	if sc.Reverse || !sc.Set.All() {
		return sc.selected(b)
	}
	if !sc.block(b) {
		return false, false
	}
	view := sc.Published.Extent().View
	after := view.Next(b)
	if after == nil {
		// The block is the last one, so all there is was in it.
		return true, view.Find(sc.next) == b || sc.next > sc.last
	}
	// Not beyond the end of this iteration: another may follow it.
	sc.next = max(sc.next, min(after.First, sc.last+1))
	return true, false
}

// block gives the messages of one block. It reports whether to go on.
func (sc *Scan) block(b *engine.BlockView) bool {
	if b.Tail == nil {
		return sc.file(b, math.MaxUint64)
	}
	records, first, boundary, inMemory := splitAt(b)
	if sc.next < boundary {
		if !sc.file(b, boundary) {
			return false
		}
		if inMemory {
			sc.next = max(sc.next, min(boundary, sc.last+1))
		}
	}
	if !inMemory || sc.next > sc.last {
		return true
	}
	gone, more := sc.memory(b, records, first)
	if gone && more {
		return sc.block(b) // what went from memory is in the file by now
	}
	return more
}

// file gives the messages below a sequence from the block's file. It reports
// whether to go on.
func (sc *Scan) file(b *engine.BlockView, below uint64) bool {
	more, err := sc.readFile(b, below)
	if err != nil {
		return sc.fileError(b, err)
	}
	return more
}

// fileError decides what an error of a block's file means.
func (sc *Scan) fileError(b *engine.BlockView, err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		if now := sc.Published.Extent(); now.View.Find(sc.next) != b || sc.next < now.FirstSequence {
			return true // the block went, with its messages
		}
		// Like damage: it costs what it covers, and the next block is read.
		return sc.emit(nil, sc.missing(b, sc.next, err))
	}
	sc.emit(nil, err)
	return false
}

// memory gives the messages of a block that are in memory, until they are gone from
// there.
func (sc *Scan) memory(b *engine.BlockView, records engine.Records, first int) (gone, more bool) {
	for i := max(first, records.Search(sc.next)); i < records.Len(); i++ {
		r := records.At(i)
		if r.Sequence > sc.last {
			break
		}
		bytes := b.Tail.Bytes(r.Offset, r.Size)
		if bytes == nil {
			return true, true
		}
		if err := blockio.Parse(bytes, &sc.record); err != nil {
			sc.next = r.Sequence + 1
			if !sc.damaged(sc.corrupt(b, r.Offset, r.Sequence, "record is damaged", err)) {
				return false, false
			}
		} else if !sc.give(b) {
			return false, false
		}
	}
	return false, true
}

// give hands out the current record if its message is live and wanted. It
// reports whether to go on.
func (sc *Scan) give(b *engine.BlockView) bool {
	r := &sc.record
	if r.Sequence < sc.next || r.Sequence < sc.Published.First() || b.Removed(r.Sequence) || sc.tooEarly() {
		return true
	}
	select {
	case <-sc.ended:
		sc.emit(nil, context.Cause(sc.ctx))
		return false
	default:
	}
	sc.next = r.Sequence + 1
	return sc.emit(r, nil)
}

// damaged hands out an error of a record. A store that has stopped meanwhile has
// no blocks any more to judge by.
func (sc *Scan) damaged(err error) bool {
	if sc.Stopped.Load() {
		sc.emit(nil, ErrStopped)
		return false
	}
	return sc.emit(nil, err)
}

// readFile gives messages from a block's file.
func (sc *Scan) readFile(b *engine.BlockView, below uint64) (more bool, err error) {
	file, err := sc.Shared.Files.Acquire(sc.FS, sc.Path(b.ID))
	if err != nil {
		return false, err
	}
	defer file.Release()
	below = min(below, sc.last+1)
	offset := int64(0)
	sc.seen = 0
	if sc.next > b.First {
		// Somewhere inside: the index knows where.
		if offset, more, err = sc.start(b); err != nil || !more {
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
	sc.check(b, file, offset)
	defer sc.uncheck(nil)
	return sc.records(b, file, offset, below)
}

// records gives messages from an offset of a block's file on.
func (sc *Scan) records(b *engine.BlockView, file *blockio.CachedFile, offset int64, below uint64) (more bool, err error) {
	key := sc.recordCodec(b.ID)
	filled, used := 0, 0
	for sc.next < below {
		err := sc.decode(key, offset, sc.buffer[used:filled])
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
			if offset, more, err = sc.around(b, offset, below, err); err != nil || !more || offset < 0 {
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
func (sc *Scan) endOfFile(b *engine.BlockView, offset int64, below uint64, cause error) bool {
	// Of one instant: when the next block has gone, so have its messages.
	now := sc.Published.Extent()
	if after := now.View.Next(b); after != nil {
		below = min(below, after.First)
	}
	if sc.seen+1 >= below || now.FirstSequence >= below {
		return true
	}
	lost := max(sc.next, sc.seen+1)
	sc.next = below
	return sc.damaged(sc.corrupt(b, offset, lost, "no intact record", cause))
}

// around finds the first record behind a damaged one. It returns -1 when the block
// has none.
func (sc *Scan) around(b *engine.BlockView, offset int64, below uint64, cause error) (next int64, more bool, err error) {
	var own, after, highest uint64
	err = sc.withReader(b, func(r *blockReader) error {
		highest = r.sum.Last
		i := sort.Search(r.index.Len(), func(i int) bool {
			record, recordErr := r.index.Record(i)
			if recordErr != nil {
				err = recordErr
			}
			return record.Offset > offset
		})
		if err == nil && i > 0 {
			// An index from before the damage knows which message it was.
			if record, err := r.index.Record(i - 1); err != nil {
				return err
			} else if record.Offset == offset {
				if own, err = r.index.Sequence(i - 1); err != nil {
					return err
				}
			}
		}
		if next = -1; err != nil || i == r.index.Len() {
			return err
		}
		record, err := r.index.Record(i)
		if err != nil {
			return err
		}
		next = record.Offset
		after, err = r.index.Sequence(i)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	if next >= 0 {
		lost := max(sc.next, own)
		if lost >= after || b.Removed(lost) {
			lost = 0 // no message, or it cannot be told which
		}
		sc.next = max(sc.next, min(after, below))
		return next, sc.damaged(sc.corrupt(b, offset, lost, "record is damaged", cause)), nil
	}
	if own >= sc.next && own < below && !b.Removed(own) {
		sc.next = own + 1
		if !sc.damaged(sc.corrupt(b, offset, own, "record is damaged", cause)) {
			return -1, false, nil
		}
	}
	// Skips and tombstones may follow.
	sc.seen = max(sc.seen, highest)
	return -1, sc.endOfFile(b, offset, below, cause), nil
}

// start returns the offset of the first record to give, or -1 when the block has
// none. It reports whether to go on.
func (sc *Scan) start(b *engine.BlockView) (offset int64, more bool, err error) {
	var found uint64
	damage := 0
	err = sc.withReader(b, func(r *blockReader) error {
		damage = r.sum.Damage
		i, _, err := r.index.Ordinal(sc.next)
		if err != nil {
			return err
		}
		if i == r.index.Len() {
			sc.seen, offset = r.sum.Last, -1
			return nil
		}
		record, err := r.index.Record(i)
		if err != nil {
			return err
		}
		offset = record.Offset
		found, err = r.index.Sequence(i)
		return err
	})
	if err != nil || offset < 0 {
		return offset, err == nil, err
	}
	if more = true; damage > 0 && found != sc.next && !b.Removed(sc.next) {
		// The scan begins at a damaged record, and goes on behind it.
		lost := sc.next
		sc.next = found
		more = sc.damaged(sc.corrupt(b, 0, lost, "no intact record", ErrCorrupt))
	}
	return offset, more, nil
}

// withReader lets look use the index of a block, anew when it turns out to be of no
// use.
func (sc *Scan) withReader(b *engine.BlockView, look func(*blockReader) error) error {
	// That a record is not there can only be said by a reader that knows of all there
	// are, up to where the iteration ends.
	end := sc.last
	if after := sc.Published.Extent().View.Next(b); after != nil {
		end = min(end, after.First-1)
	}
	for attempt := 0; ; attempt++ {
		r, err := sc.acquire(b, max(end, sc.next))
		if err != nil {
			return err
		}
		err = blockio.Guard(func() error { return look(r) })
		if err != nil && unusable(err) {
			sc.discard(r, err)
		}
		r.release()
		if err == nil || !unusable(err) || attempt == mostAttempts {
			return err
		}
	}
}

// grow makes room for a record that is longer than the buffer and begins at its
// start.
func (sc *Scan) grow(have int) {
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
func (sc *Scan) fill(file *blockio.CachedFile, offset int64, have int) (int, error) {
	sc.pace.letRun(sc.Source)
	n, err := file.ReadAt(sc.buffer[have:], offset+int64(have))
	if err != nil && err != io.EOF {
		return 0, err
	}
	return have + n, nil
}
