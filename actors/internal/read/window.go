package read

import (
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
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
	*w = window{}
}

// record returns the bytes of a record of the scan's batch, valid until the next call, or nil when they
// are not what they should be, or cannot be read: then somebody has to look closely.
func (w *window) record(sc *Scan, at int) []byte {
	p := &sc.batch.places[at]
	if w.block == nil {
		bytes, _, err := w.part.table.bytes(sc.batch.ordinals[at], nil)
		if err != nil {
			return nil
		}
		return bytes
	}
	bytes := w.find(p)
	if bytes == nil {
		sc.pace.letRun(sc.Source)
		w.fill(sc, at)
		if bytes = w.find(p); bytes == nil {
			return nil
		}
	}
	if !p.intact(bytes) {
		return nil
	}
	return bytes
}

// find returns the bytes of a record if the window has them.
func (w *window) find(p *place) []byte {
	from := p.offset - w.start
	if from < 0 || p.size < 0 || from+int64(p.size) > int64(len(w.bytes)) {
		return nil
	}
	return w.bytes[from : from+int64(p.size) : from+int64(p.size)]
}

// fill reads a record of the batch, and with it as much of what the scan wants next as is worth it.
func (w *window) fill(sc *Scan, at int) {
	w.bytes = nil
	first, last := sc.batch.places[at], sc.batch.places[sc.batch.n-1]
	if first.size <= 0 || first.size > blockio.MaxRecordSize || first.offset < 0 {
		return
	}
	wanted := 0
	for i := at; i < sc.batch.n; i++ {
		wanted += sc.batch.places[i].size
	}
	start, end := first.offset, last.offset+int64(last.size)
	if sc.Reverse {
		start, end = last.offset, first.offset+int64(first.size)
	}
	size := first.size
	if span := end - start; span > 0 && int64(wanted)*dense >= span {
		size = int(max(int64(size), min(span, windowSize)))
		if sc.batch.n == batchSize { // as it goes on after the batch
			size = max(size, windowSize)
		}
	}
	w.start = first.offset
	if sc.Reverse {
		w.start = max(0, first.offset+int64(first.size)-int64(size))
		size = int(first.offset + int64(first.size) - w.start)
	}
	w.read(size)
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
		}
		return
	}
	// A short read at the end of the file is no error here: what is missing is not found.
	n, _ := w.block.ReadAt(into, w.start)
	w.bytes = into[:n]
}

// copyLimit is up to where it is quicker to copy out of a mapping than to read the file, in bytes.
const copyLimit = 8 << 10
