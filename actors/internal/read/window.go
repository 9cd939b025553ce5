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
	// leastRead is as how many bytes a read counts at least: so much takes as long as one record that is
	// looked for.
	leastRead = 4 << 10
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
	pass   *blockindex.Pass

	unyielded int // bytes that were read, see leastRead, since others were let run
	doubled   int // how many times prepare has taken twice as many records
}

var (
	windows = sync.Pool{New: func() any { b := make([]byte, windowSize); return &b }}
	passes  = sync.Pool{New: func() any { return new(blockindex.Pass) }}
)

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
	if w.pass == nil {
		w.pass = passes.Get().(*blockindex.Pass)
	}
}

// clear forgets the bytes.
func (w *window) clear() { w.bytes = nil }

// close gives the memory back, unless a borrowed record may still be looked at.
func (w *window) close(borrowed bool) {
	if w.pooled != nil && !borrowed {
		windows.Put(w.pooled)
	}
	if w.pass != nil {
		w.pass.Forget()
		passes.Put(w.pass)
	}
	*w = window{unyielded: w.unyielded}
}

// record returns the bytes of a record of the scan's batch, valid until the next call, or nil when they
// are not what they should be, or cannot be read: then somebody has to look closely.
func (w *window) record(sc *Scan, at int) []byte {
	p := &sc.batch.entries[at]
	if w.block == nil {
		w.letRun(sc, leastRead)
		bytes, _, err := w.part.table.bytes(sc.batch.ordinals[at], nil)
		if err != nil {
			return nil
		}
		return bytes
	}
	bytes := w.find(p)
	if bytes == nil {
		w.letRun(sc, max(len(w.bytes), leastRead)) // these are done with
		w.fill(sc, at)
		if bytes = w.find(p); bytes == nil {
			return nil
		}
	}
	if crc32.Checksum(bytes, crcTable) != p.CRC {
		return nil
	}
	return bytes
}

// letRun lets others run when much has been read since they were.
func (w *window) letRun(sc *Scan, read int) {
	if w.unyielded += read; w.unyielded >= windowSize {
		w.unyielded = 0
		sc.pace.letRun(sc.Source)
	}
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
	if sc.batch.dense {
		size = max(size, sc.batch.ahead(at, sc.Reverse))
	} else {
		w.prepare(&sc.batch, at)
	}
	w.start = first.Offset
	if sc.Reverse {
		end := first.Offset + int64(first.Size)
		w.start = max(0, end-int64(size))
		size = int(end - w.start)
	}
	w.read(size)
}

// measure finds out whether most of what lies between the records of the batch is wanted, so that it is
// read as a whole.
func (b *batch) measure(reverse bool) {
	wanted := int64(0)
	for i := range b.n {
		wanted += int64(b.entries[i].Size)
	}
	all := b.span(0, reverse)
	b.dense = all > 0 && wanted >= all/dense
}

// span returns how many bytes of the block there are from record at of the batch to the last one.
func (b *batch) span(at int, reverse bool) int64 {
	from, to := &b.entries[at], &b.entries[b.n-1]
	if reverse {
		from, to = to, from
	}
	return to.Offset + int64(to.Size) - from.Offset
}

// ahead returns how much of the block to read for record at of a dense batch and those after it, in bytes.
func (b *batch) ahead(at int, reverse bool) int {
	if b.n == batchSize { // more records follow the batch
		return windowSize
	}
	return int(min(b.span(at, reverse), windowSize))
}

// prepare makes record at resident, if it is in a mapping, together with some of those after it: each
// system call costs more than to read a record. It begins with few, since a scan may end at any record,
// and takes twice as many each time.
func (w *window) prepare(b *batch, at int) {
	after := b.entries[at:b.n]
	n := min(len(after), 1<<w.doubled)
	did := w.block.Prepare(n, func(i int) (int64, int) { return after[i].Offset, after[i].Size })
	if did && 1<<w.doubled < batchSize {
		w.doubled++
	}
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
