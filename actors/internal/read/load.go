package read

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// loadsPerPause is after how many loads into a buffer the goroutine lets others run. A load into a new
// buffer, which cannot count, does so as often at random.
const loadsPerPause = 128

// Load reads the message at a sequence, 0 for the first one, into a buffer. The error is ErrEOF above
// the last sequence, ErrNotFound when there is no live message, ErrStopped, or wraps ErrCorrupt and
// says where the damage is.
func (s *Source) Load(sequence uint64, into *Buffer) error {
	if into.loads++; into.loads%loadsPerPause == 0 || into.bytes == nil && rand.Uint32()%loadsPerPause == 0 {
		into.pace.letRun(s)
	}
	into.Record = blockio.Record{}
	for attempt := 0; ; attempt++ {
		// Both are of one instant: whoever has seen a message must not see one that it evicted.
		first, last := s.Published.Range()
		wanted := sequence
		if wanted == 0 {
			wanted = first
		}
		switch {
		case s.Stopped.Load():
			return ErrStopped
		case wanted > last || last == 0:
			if _, lost := s.Published.Lost(wanted); lost {
				return s.absent(wanted)
			}
			return fmt.Errorf("%w: %d, last is %d", ErrEOF, wanted, last)
		case wanted < first:
			return s.absent(wanted)
		}
		b := s.Published.View().Find(wanted)
		if b == nil {
			// The message is being evicted: the view of blocks is a moment ahead of the numbers.
			runtime.Gosched()
			continue
		}
		if b.Deleted(wanted) {
			return s.absent(wanted)
		}
		err := s.loadFrom(b, wanted, into)
		if again, failure := s.afterCut(context.Background(), err); again || failure != nil {
			if failure != nil {
				return failure
			}
			continue
		}
		switch {
		case err == nil || !worthAnotherTry(err):
			return err
		case errors.Is(err, fs.ErrNotExist) && attempt > 0 && sameBlock(s.Published.View().Find(wanted), b) && wanted >= s.Published.First():
			// The view still has the block, so somebody else has removed its file.
			s.lose(b, wanted, wanted, nil)
			return s.missing(b, engine.SequenceRange{First: wanted, Last: wanted}, err)
		case attempt > mostAttempts:
			return s.corrupt(b, 0, wanted, "cannot be read", err)
		}
	}
}

// absent is the error for a sequence that has no message: it was lost, or it was removed or skipped.
func (s *Source) absent(sequence uint64) error {
	lost, ok := s.Published.Lost(sequence)
	if !ok {
		return notFound(sequence)
	}
	lost.First, lost.Last = sequence, sequence
	return s.lostError(lost)
}

// loadFrom reads one message of a block, from memory if it is there.
func (s *Source) loadFrom(b *engine.BlockView, sequence uint64, into *Buffer) error {
	if b.Tail != nil {
		if bytes, offset := b.Tail.Near(sequence); bytes != nil {
			_ = fetchLines(bytes)
			return s.take(b, bytes, offset, sequence, into)
		}
		if offset, size, found, known := b.Tail.Locate(sequence); known && found {
			if bytes := b.Tail.Bytes(offset, size); bytes != nil {
				_ = fetchLines(bytes)
				return s.take(b, bytes, offset, sequence, into)
			}
		} else if known && b.Tail.Covers(sequence) {
			return s.absent(sequence)
		}
	}
	r, err := s.acquire(b, sequence)
	if err != nil {
		return err
	}
	defer r.block.Release()
	return r.load(b, sequence, into)
}

// load reads one message from the block's file.
func (r *blockReader) load(b *engine.BlockView, sequence uint64, into *Buffer) (err error) {
	pooled := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(pooled)
	err = blockio.Guard(func() error { return r.loadRecord(b, sequence, into, pooled, false) })
	if err != nil && errors.Is(err, blockio.ErrMapped) {
		// The file shows what it is that cannot be read. If the fault comes again, it is of the index.
		into.Record = blockio.Record{}
		err = blockio.Guard(func() error { return r.loadRecord(b, sequence, into, pooled, true) })
	}
	if err != nil && unusable(err) {
		r.discard(err)
	}
	return err
}

// loadRecord reads one message from the block's file. fromFile: not from memory that the file is mapped to,
// which may fault.
func (r *blockReader) loadRecord(b *engine.BlockView, sequence uint64, into *Buffer, pooled *[]byte, fromFile bool) error {
	i, found, err := r.index.Ordinal(sequence)
	if err != nil {
		return err
	}
	if !found {
		if !r.source.live(sequence) {
			return r.source.absent(sequence) // meanwhile
		}
		r.lostWithin(b, sequence, sequence)
		return r.noRecordError(b, sequence)
	}
	if !fromFile && into.block != b.ID {
		r.fetchEstimated(i) // who stays in a block finds most of it in the processor's caches
	}
	into.block = b.ID
	data, offset, err := r.record(i, pooled, fromFile)
	switch {
	case err == nil:
		r.source.doubts.readable(b, sequence)
		return r.source.take(b, data, offset, sequence, into)
	case errors.Is(err, blockio.ErrSector):
		r.unreadRecord(b, sequence)
		return r.source.corrupt(b, offset, sequence, cannotBeRead, err)
	case errors.Is(err, blockio.ErrCorrupt) && !unusable(err):
		r.loseRecord(b, sequence)
		return r.source.corrupt(b, offset, sequence, "record is damaged", err)
	}
	return err
}

// mostFetched is how much of a record is read ahead, in bytes: the processor notices by itself that more is read in order.
const mostFetched = 512

// fetchLines reads a byte of every cache line of a record. Where the rest of a record is shows in its first line, so without this the
// processor would wait for that line, and then for the others. Nobody needs the sum, but without it the compiler
// would leave the reads out.
//
//go:noinline
func fetchLines(record []byte) (sum byte) {
	for i := 0; i < min(len(record), mostFetched); i += 64 {
		sum += record[i]
	}
	return sum
}

// fetchEstimated has the processor fetch record i while it waits for the entry of the index that says where that is.
// Nothing is waited for.
func (r *blockReader) fetchEstimated(i int) {
	if offset, size, ok := r.index.Estimate(i); ok {
		_ = fetchLines(r.block.Resident(offset, min(size, mostFetched)))
	}
}

// take copies a record into a buffer. Its bytes are known to be intact; that it is the right record is not.
func (s *Source) take(b *engine.BlockView, bytes []byte, offset int64, sequence uint64, into *Buffer) error {
	record := &into.Record // without a copy: this is the hottest path of a load
	if err := blockio.Parse(bytes, record); err != nil {
		*record = blockio.Record{} // it must not hold on to the block
		return s.corrupt(b, offset, sequence, "record is damaged", err)
	}
	if record.Kind != blockio.KindMessage || record.Sequence != sequence {
		*record = blockio.Record{}
		return s.corrupt(b, offset, sequence, "record is another one", ErrCorrupt)
	}
	into.own()
	return nil
}
