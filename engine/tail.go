package engine

import "sync/atomic"

// Tail is the memory of the block that takes records: a table of its records
// and, until they are dropped, their bytes.
type Tail struct {
	// touched tells the engine that some reader may hold the memory: it is then
	// left to the garbage collector, and not used again. Readers set touched before
	// they load the pointers below, and the engine clears the pointers before it
	// looks at touched, so a reader finds no memory or the engine finds the reader.
	touched atomic.Bool
	from    uint64       // records of earlier sequences are in the file only
	visible atomic.Int64 // how many entries of the table readers may look at
	slots   atomic.Pointer[[]*slotChunk]
	data    atomic.Pointer[[]dataChunk]
}

// newTail returns a tail for records of sequences from one on. It has an empty table:
// no table would mean that it was dropped.
func newTail(from uint64) *Tail {
	t := &Tail{from: from}
	t.slots.Store(&noSlots)
	return t
}

var noSlots = []*slotChunk{}

// dataChunk is a stretch of the block's bytes.
type dataChunk struct {
	start int64 // offset in the block
	bytes []byte
}

// From returns the first sequence that the table may list. Records of the block
// with earlier sequences are in its file only.
func (t *Tail) From() uint64 { return t.from }

// Covers reports whether a record of this sequence would be in the table.
// Records of the block with earlier sequences are in its file only.
func (t *Tail) Covers(sequence uint64) bool { return sequence >= t.from }

func (t *Tail) touch() {
	if !t.touched.Load() {
		t.touched.Store(true)
	}
}

// Locate returns where the record of sequence lies in the block. found is false when
// the table has no such record. known is false when the table does not reach so far
// back, or is no longer in memory: the answer is in the file then.
func (t *Tail) Locate(sequence uint64) (offset int64, size int, found, known bool) {
	if sequence < t.from {
		return 0, 0, false, false
	}
	t.touch()
	// The count first: the table loaded after it holds at least as many slots.
	n := int(t.visible.Load())
	chunks := t.slots.Load()
	if chunks == nil {
		return 0, 0, false, n == 0 // without messages there is no need for a table
	}
	table := Table{chunks: *chunks, n: n}
	i := table.Search(sequence)
	if i >= n || table.Sequence(i) != sequence {
		return 0, 0, false, true
	}
	return int64(table.offset(i)), int(table.slot(i).size()), true, true
}

// Bytes returns the bytes of the block from offset on, or nil when they are no
// longer in memory. They must not be changed, and only bytes of records at or
// below the published last sequence are meaningful.
func (t *Tail) Bytes(offset int64, size int) []byte {
	t.touch()
	chunks := t.data.Load()
	if chunks == nil {
		return nil
	}
	for i := len(*chunks) - 1; i >= 0; i-- {
		c := &(*chunks)[i]
		if offset >= c.start {
			if from := offset - c.start; from+int64(size) <= int64(len(c.bytes)) {
				return c.bytes[from : from+int64(size) : from+int64(size)]
			}
			return nil
		}
	}
	return nil
}

// Start returns the offset from which on the bytes of the block are in memory, or
// false when none are.
func (t *Tail) Start() (offset int64, ok bool) {
	t.touch()
	chunks := t.data.Load()
	if chunks == nil || len(*chunks) == 0 {
		return 0, false
	}
	return (*chunks)[0].start, true
}

// Table returns the table as of one instant: the records that are visible now. known
// is false when it is no longer in memory.
func (t *Tail) Table() (table Table, known bool) {
	t.touch()
	// The count first: the table loaded after it holds at least as many slots.
	n := int(t.visible.Load())
	chunks := t.slots.Load()
	if chunks == nil {
		return Table{}, n == 0 // without messages there is no need for a table
	}
	return Table{chunks: *chunks, n: n}, true
}
