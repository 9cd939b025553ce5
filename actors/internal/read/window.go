package read

import (
	"hash/crc32"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

const (
	// windowSize is how much of a block a scan reads at a time where it wants most of the records, in
	// bytes.
	windowSize = 256 << 10
	// dense is how much of a stretch must be wanted for it to be read as a whole: one part of so many.
	dense = 4
)

// window is the one source of bytes of a scan. It holds a stretch of a block that was read at once: a
// long one where the scan wants most of the records, only the next record where it wants few.
type window struct {
	part   *part
	block  *blockio.Block // nil when the part is in memory
	start  int64          // where the bytes are in the block
	bytes  []byte         // in memory
	memory []byte
	pooled *[]byte // what memory was at first

	unyielded int // bytes that were read since others were let run
}

var windows = sync.Pool{New: func() any { b := make([]byte, windowSize); return &b }}

// reset makes the window one of another part.
func (w *window) reset(p *part) {
	w.part, w.block, w.bytes = p, nil, nil
	if p.reader == nil {
		return
	}
	w.block = p.reader.block
	if w.memory == nil {
		w.pooled = windows.Get().(*[]byte)
		w.memory = *w.pooled
	}
}

// clear forgets the bytes.
func (w *window) clear() { w.bytes = nil }

// close gives the memory back, unless a borrowed record may still be looked at.
func (w *window) close(borrowed bool) {
	if w.pooled != nil && !borrowed {
		windows.Put(w.pooled)
	}
	*w = window{unyielded: w.unyielded}
}

// record returns the bytes of a record of the scan's batch, valid until the next call, or nil when they
// are not what they should be, or cannot be read: then somebody has to look closely.
func (w *window) record(sc *Scan, at int) []byte {
	p := &sc.batch.entries[at]
	if w.block == nil {
		bytes, _, err := w.part.table.bytes(sc.batch.ordinals[at], nil)
		if err != nil {
			return nil
		}
		return bytes
	}
	bytes := w.find(p)
	if bytes == nil {
		if w.unyielded >= windowSize {
			w.unyielded = 0
			sc.pace.letRun(sc.Source)
		}
		w.fill(sc, at)
		w.unyielded += len(w.bytes)
		if bytes = w.find(p); bytes == nil {
			return nil
		}
	}
	if crc32.Checksum(bytes, crcTable) != p.CRC {
		return nil
	}
	return bytes
}

// find returns the bytes of a record if the window has them.
func (w *window) find(p *blockindex.Record) []byte {
	from := p.Offset - w.start
	end := from + int64(p.Size)
	if from < 0 || p.Size < 0 || end > int64(len(w.bytes)) {
		return nil
	}
	return w.bytes[from:end:end]
}

// fill reads a record of the batch, and with it as much of what the scan wants next as is worth it.
func (w *window) fill(sc *Scan, at int) {
	w.bytes = nil
	first := &sc.batch.entries[at]
	if first.Size <= 0 || first.Size > blockio.MaxRecordSize || first.Offset < 0 {
		return
	}
	size := first.Size
	if ahead := sc.batch.ahead(at, sc.Reverse); ahead > int64(size) {
		size = int(ahead)
	}
	w.start = first.Offset
	if sc.Reverse {
		end := first.Offset + int64(first.Size)
		w.start = max(0, end-int64(size))
		size = int(end - w.start)
	}
	w.read(size)
}

// ahead returns how much of the block to read for record at and those after it, in bytes; 0 when most of
// what lies between them is not wanted.
func (b *batch) ahead(at int, reverse bool) int64 {
	wanted := int64(0)
	for i := range b.n {
		wanted += int64(b.entries[i].Size)
	}
	span := func(from, to *blockindex.Record) int64 {
		if reverse {
			from, to = to, from
		}
		return to.Offset + int64(to.Size) - from.Offset
	}
	last := &b.entries[b.n-1]
	if all := span(&b.entries[0], last); all <= 0 || wanted < all/dense {
		return 0
	}
	if b.n == batchSize { // more records follow the batch
		return windowSize
	}
	return min(span(&b.entries[at], last), windowSize)
}

// read reads so many bytes from the window's start on, or what there is.
func (w *window) read(size int) {
	if cap(w.memory) < size {
		w.memory = make([]byte, size)
	}
	into := w.memory[:size]
	if size <= copyLimit && w.block.Mapped() {
		err := blockio.Guard(func() error {
			bytes, err := w.block.At(w.start, size, &w.memory)
			into = into[:copy(into, bytes)]
			return err
		})
		if err == nil {
			w.bytes = into
			return
		}
		into = w.memory[:size]
	}
	// A short read at the end of the file is no error here: what is missing is not found.
	n, _ := w.block.ReadAt(into, w.start)
	w.bytes = into[:n]
}

// copyLimit is up to where it is quicker to copy out of a mapping than to read the file, in bytes.
const copyLimit = 8 << 10
