package engine

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"sync/atomic"
)

// View is the list of blocks at one instant. It never changes.
type View struct {
	blocks []*BlockView
}

// Find returns the block that holds sequence, if a block spans it.
func (v *View) Find(sequence uint64) *BlockView {
	if i := v.Index(sequence); i < len(v.blocks) && v.blocks[i].First <= sequence {
		return v.blocks[i]
	}
	return nil
}

// Index returns the index of the block that spans sequence, or of the first block
// when that comes before all of them.
func (v *View) Index(sequence uint64) int {
	low, high := 0, len(v.blocks)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if v.blocks[middle].First <= sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return max(low-1, 0)
}

// Blocks returns the blocks in order. The slice must not be changed.
func (v *View) Blocks() []*BlockView { return v.blocks }

// Next returns the block that follows b, or nil.
func (v *View) Next(b *BlockView) *BlockView {
	i, found := slices.BinarySearchFunc(v.blocks, b.ID, func(other *BlockView, id uint32) int { return cmp.Compare(other.ID, id) })
	if found {
		i++
	}
	if i == len(v.blocks) {
		return nil
	}
	return v.blocks[i]
}

// BlockView is one block as readers see it.
type BlockView struct {
	ID    uint32
	First uint64 // no message of an earlier sequence is in this block
	// Tail is the memory of the block while it takes records. It stays after
	// the block is sealed until the records are written.
	Tail *Tail
	// gaps holds the sequences from First on, up to the block's last, that are not
	// live, other than those below the stream's first sequence.
	gaps     atomic.Pointer[Gaps]
	lastTime atomic.Int64
	// Attached is for the shell, which keeps there what it needs to read the
	// block's file. The engine does not look at it.
	Attached atomic.Pointer[any]
}

// Gaps lists the sequences of a block that are not live, ascending and disjoint.
type Gaps struct {
	ranges []SequenceRange
	total  uint64 // how many sequences
}

// Removed reports whether sequence is not live: there is no message, or it is in
// the file but gone.
func (b *BlockView) Removed(sequence uint64) bool {
	g := b.gaps.Load()
	return g != nil && inRanges(g.ranges, sequence)
}

// LastTime returns the highest time of a message in the block, which is math.MinInt64
// when it has none. It may be ahead of the messages that are visible.
func (b *BlockView) LastTime() int64 { return b.lastTime.Load() }

// newBlockView returns the view of a block without messages.
func newBlockView(id uint32, first uint64, tail *Tail) *BlockView {
	v := &BlockView{ID: id, First: first, Tail: tail}
	v.lastTime.Store(math.MinInt64)
	return v
}

// GapsWithin returns how many of the sequences from..to are not live, of those
// that the block spans.
func (b *BlockView) GapsWithin(from, to uint64) uint64 {
	g := b.gaps.Load()
	if g == nil || from > to {
		return 0
	}
	if n := len(g.ranges); from <= b.First && (n == 0 || g.ranges[n-1].Last <= to) {
		return g.total
	}
	var n uint64
	for i := searchRanges(g.ranges, from); i < len(g.ranges) && g.ranges[i].First <= to; i++ {
		n += min(g.ranges[i].Last, to) - max(g.ranges[i].First, from) + 1
	}
	return n
}

// EachGap calls visit for the stretches of from..to that are not live, of what the
// block spans, in order.
func (b *BlockView) EachGap(from, to uint64, visit func(first, last uint64)) {
	g := b.gaps.Load()
	if g == nil {
		return
	}
	for i := searchRanges(g.ranges, from); i < len(g.ranges) && g.ranges[i].First <= to; i++ {
		visit(max(g.ranges[i].First, from), min(g.ranges[i].Last, to))
	}
}

// LiveAfter returns the first live sequence at or after one, or, when the block has
// none, the first sequence behind its last gap. LiveBefore is the same downwards.
func (b *BlockView) LiveAfter(sequence uint64) uint64 {
	if g := b.gaps.Load(); g != nil {
		for i := searchRanges(g.ranges, sequence); i < len(g.ranges) && g.ranges[i].First <= sequence; i++ {
			sequence = g.ranges[i].Last + 1
		}
	}
	return sequence
}

// LiveBefore returns the last live sequence at or before one, or, when the block
// has none, the last sequence before its first gap.
func (b *BlockView) LiveBefore(sequence uint64) uint64 {
	if g := b.gaps.Load(); g != nil {
		i := searchRanges(g.ranges, sequence)
		for ; i >= 0 && i < len(g.ranges) && g.ranges[i].First <= sequence && sequence <= g.ranges[i].Last; i-- {
			sequence = g.ranges[i].First - 1
		}
	}
	return sequence
}

// Tail is the memory of the block that takes records: a table of its records
// and, until they are dropped, their bytes.
type Tail struct {
	// touched tells the engine that some reader may hold the memory, which then
	// is left to the garbage collector instead of being used again. Readers set
	// it before they load the pointers below; the engine clears the pointers
	// before it looks.
	touched atomic.Bool
	from    uint64       // records of earlier sequences are in the file only
	visible atomic.Int64 // slots that readers may look at
	slots   atomic.Pointer[[]*slotChunk]
	data    atomic.Pointer[[]dataChunk]
}

// newTail returns a tail for records from a sequence on. That it has none yet is
// not to be taken for a table that was dropped.
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

// slotsPerChunk is the number of records in one chunk of a table.
const slotsPerChunk = 256

// slot is the entry of one message record in a block's table. It fills half a cache
// line: a look-up touches one.
type slot struct {
	sequence uint64
	time     int64
	offset   uint32
	size     uint32
	subject  uint32
	_        uint32
}

// slotChunk is a stretch of a block's table.
type slotChunk [slotsPerChunk]slot

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

// Locate returns where the record of sequence lies in the block. found is false
// when the block's table has no such record; known is false when the table does
// not reach that far back, or is no longer in memory: then the file tells.
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
	i := findSlot(*chunks, n, sequence)
	if i >= n || slotSequence(*chunks, i) != sequence {
		return 0, 0, false, true
	}
	c := (*chunks)[i/slotsPerChunk]
	return int64(c[i%slotsPerChunk].offset), int(c[i%slotsPerChunk].size), true, true
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

// Records is the table of a Tail as of one instant: the records that were visible
// then.
type Records struct {
	chunks []*slotChunk
	n      int
}

// RecordInfo is an entry of a table.
type RecordInfo struct {
	Sequence uint64
	Time     int64
	Offset   int64 // in the block
	Size     int
	Subject  uint32 // number of the subject in the index, while it has messages
}

// Records returns the table. It reports whether that is in memory.
func (t *Tail) Records() (r Records, known bool) {
	t.touch()
	// The count first: the table loaded after it holds at least as many slots.
	n := int(t.visible.Load())
	chunks := t.slots.Load()
	if chunks == nil {
		return Records{}, n == 0 // without messages there is no need for a table
	}
	return Records{*chunks, n}, true
}

// Len returns the number of records.
func (r *Records) Len() int { return r.n }

// Search returns the index of the first record at or after sequence.
func (r *Records) Search(sequence uint64) int { return findSlot(r.chunks, r.n, sequence) }

// Sequence returns the sequence of record i.
func (r *Records) Sequence(i int) uint64 { return slotSequence(r.chunks, i) }

// Subject returns the number of the subject of record i.
func (r *Records) Subject(i int) uint32 { return r.chunks[i/slotsPerChunk][i%slotsPerChunk].subject }

// At returns record i.
func (r *Records) At(i int) RecordInfo {
	c, at := r.chunks[i/slotsPerChunk], i%slotsPerChunk
	return RecordInfo{c[at].sequence, c[at].time, int64(c[at].offset), int(c[at].size), c[at].subject}
}

// SearchOffset returns the index of the first record at or after an offset.
func (r *Records) SearchOffset(offset int64) int {
	return sort.Search(r.n, func(i int) bool { return int64(r.chunks[i/slotsPerChunk][i%slotsPerChunk].offset) >= offset })
}

// SearchTime returns the index of the first record whose time is not before one,
// given that times do not go back.
func (r *Records) SearchTime(time int64) int {
	return sort.Search(r.n, func(i int) bool { return r.chunks[i/slotsPerChunk][i%slotsPerChunk].time >= time })
}

func slotSequence(chunks []*slotChunk, i int) uint64 {
	return chunks[i/slotsPerChunk][i%slotsPerChunk].sequence
}

// findSlot returns the first of n slots whose sequence is not below the wanted
// one. Most blocks have no gaps, so it tries the place that is right then.
func findSlot(chunks []*slotChunk, n int, sequence uint64) int {
	if n == 0 {
		return 0
	}
	first := slotSequence(chunks, 0)
	if sequence <= first {
		return 0
	}
	if d := sequence - first; d < uint64(n) && slotSequence(chunks, int(d)) == sequence {
		return int(d)
	}
	low, high := 0, n
	for low < high {
		middle := int(uint(low+high) >> 1)
		if slotSequence(chunks, middle) < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// inRanges reports whether sequence is in one of the ranges, which are
// ascending and disjoint.
func inRanges(ranges []SequenceRange, sequence uint64) bool {
	i := searchRanges(ranges, sequence)
	return i < len(ranges) && ranges[i].First <= sequence
}

// searchRanges returns the index of the first range that does not end before
// sequence.
func searchRanges(ranges []SequenceRange, sequence uint64) int {
	low, high := 0, len(ranges)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if ranges[middle].Last < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
