package read

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A sector that cannot be read is damage while that is so. Readers say so at once, each time; they tell the
// store, for which it is final until the next Open, when a message could not be read by mostDoubts of them in
// a row. A disk that reads nothing of a block is no damage: it does not work at the moment.

// mostDoubts is how many readers in a row have to find a message unreadable for it to be lost.
const mostDoubts = 3

// mostDoubted bounds the messages that are remembered as unreadable. With more, all of them are forgotten.
const mostDoubted = 1 << 16

// readUnit is what a disk reads at once, in bytes, of all those that are in use.
const readUnit = 4 << 10

// doubts counts how often messages could not be read.
type doubts struct {
	any    atomic.Bool // there are some: what is read well has to be taken out
	mu     sync.Mutex
	counts map[doubted]int
}

type doubted struct {
	block    blockio.BlockRef
	sequence uint64
}

// add counts one more reader who could not read a message. It reports whether these are enough.
func (d *doubts) add(b *engine.BlockView, sequence uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil || len(d.counts) >= mostDoubted {
		d.counts = make(map[doubted]int)
	}
	d.any.Store(true)
	key := doubted{refOf(b), sequence}
	d.counts[key]++
	return d.counts[key] >= mostDoubts
}

// readable forgets the doubts about a message that was read.
func (d *doubts) readable(b *engine.BlockView, sequence uint64) {
	if !d.any.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.counts, doubted{refOf(b), sequence})
	d.any.Store(len(d.counts) > 0)
}

// around returns bytes of the block from its file, as At does, where At has failed. With bytes that cannot be
// read the error wraps blockio.ErrSector and says which.
func (r *blockReader) around(offset int64, size int, buffer *[]byte) ([]byte, error) {
	// All of the sectors that have a byte of it are looked at, so that whoever wants the bytes beside it
	// knows what is wrong with these.
	from := offset - offset%readUnit
	to := (offset + int64(size) + readUnit - 1) / readUnit * readUnit
	data, err := r.block.FromFile(from, int(to-from), buffer)
	sectors := blockio.Unreadable(err)
	if err != nil && sectors == nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if len(of(sectors, offset, size)) > 0 {
		if !r.block.AnyReadable() {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", blockio.ErrSector, err)
	}
	have := int64(len(data)) - (offset - from)
	if have < int64(size) {
		return data[len(data)-int(max(have, 0)):], io.ErrUnexpectedEOF
	}
	return data[offset-from:][:size], nil
}

// of returns the sectors that have any of size bytes from an offset on.
func of(sectors []blockio.SectorRange, offset int64, size int) []blockio.SectorRange {
	for len(sectors) > 0 && sectors[0].To <= offset {
		sectors = sectors[1:]
	}
	for n := len(sectors); n > 0 && sectors[n-1].From >= offset+int64(size); n-- {
		sectors = sectors[:n-1]
	}
	return sectors
}

// lostWithin tells the store of a stretch of the block that has no records. Where parts of the block could not
// be read, they may be readable the next time: the block is then read again for the next reader.
func (r *blockReader) lostWithin(b *engine.BlockView, first, last uint64) {
	if r.unread {
		enough := true
		for sequence := first; sequence <= last; sequence++ {
			enough = r.source.doubts.add(b, sequence) && enough
		}
		if r.block.Drop(); !enough {
			return
		}
	}
	r.source.lose(b, first, last, nil)
}

// unreadRecord notes that the record of a message cannot be read, and tells the store when that is final.
func (r *blockReader) unreadRecord(b *engine.BlockView, sequence uint64) {
	if r.source.doubts.add(b, sequence) {
		r.loseRecord(b, sequence)
	}
}

// noRecordError is the error for a message that the block has no record of.
func (r *blockReader) noRecordError(b *engine.BlockView, sequence uint64) error {
	if r.unread {
		return r.source.corrupt(b, 0, sequence, cannotBeRead, blockio.ErrSector)
	}
	return r.source.corrupt(b, 0, sequence, noRecord, ErrCorrupt)
}

const cannotBeRead = "a sector cannot be read"

// unreadStretch is records in a row that one stretch of sectors keeps from being read. A scan hands it out when
// it comes to its end.
type unreadStretch struct {
	sectors blockio.SectorRange
	err     *blockio.CorruptionError // nil for none
}

// covers reports whether bytes of a block cannot be read for that.
func (u *unreadStretch) covers(offset int64, size int) bool {
	return u.err != nil && u.sectors.From < offset+int64(size) && offset < u.sectors.To
}

// unread adds a message that cannot be read to the stretch of those before it, or begins a new one.
func (sc *Scan) unread(p *part, at int, sequence uint64, err error) error {
	p.reader.unreadRecord(p.block, sequence)
	entry := &sc.batch.entries[at]
	var e *blockio.UnreadableError
	if errors.As(err, &e) {
		sectors := of(e.Sectors, entry.Offset, entry.Size) // at least one, as this is of the record
		near, far := sectors[0], sectors[len(sectors)-1]
		if sc.Reverse {
			near, far = far, near
		}
		u := &sc.unreadable
		if u.err == nil || near.From > u.sectors.To || near.To < u.sectors.From {
			if err := sc.tellUnread(); err != nil {
				return err
			}
			u.err = &blockio.CorruptionError{
				Path: sc.Path(p.block.ID), Block: p.block.ID, Offset: entry.Offset, Sequence: sequence, Reason: cannotBeRead,
				Err: fmt.Errorf("%w: %w", blockio.ErrSector, e),
			}
		}
		u.sectors = far
	}
	u := sc.unreadable.err
	u.Sequence, u.Last, u.Offset = min(u.Sequence, sequence), max(u.Last, u.Sequence, sequence), min(u.Offset, entry.Offset)
	sc.told = engine.SequenceRange{First: u.Sequence, Last: u.Last}
	return nil
}

// tellUnread hands out the stretch that could not be read last, if there is one.
func (sc *Scan) tellUnread() error {
	err := sc.unreadable.err
	if err == nil {
		return nil
	}
	sc.unreadable.err = nil
	return sc.tell(err)
}
