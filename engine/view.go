package engine

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// This file holds what readers on other goroutines may touch while the engine
// goes on. The rule behind all of it: the engine finishes writing, then stores
// the atomic that makes the writing reachable; readers load that atomic first.

// counter indexes the numbers of a published State and Stats.
type counter int

const (
	countMessages counter = iota
	countBytes
	countFirst
	countFirstTime
	countLast
	countLastTime
	countSubjects
	countLostMessages
	countLostBytes
	countDurable
	countBlocks
	countStored
	countRemovedMsgs
	countRemovedBytes
	countRemovedAge
	countRefusedMsgs
	countRefusedBytes
	countRefusedSize
	countRefusedSequence
	countUnacknowledged
	counters // how many
)

// Published is a stream as readers see it: what has been acknowledged at the
// stream's sync level, and nothing else. It outlives its engine, so that reads
// go on while a failed stream recovers. All methods are safe for concurrent
// use and never block.
type Published struct {
	view atomic.Pointer[View]
	// version is odd while the numbers change.
	version atomic.Uint64
	numbers [counters]atomic.Uint64
	// written mirrors numbers, for the engine alone: storing an atomic costs
	// more than comparing.
	written [counters]uint64
}

// NewPublished returns the published state of a stream that holds nothing.
func NewPublished() *Published {
	p := &Published{}
	p.view.Store(&View{})
	none := NoTime
	for _, c := range [...]counter{countFirstTime, countLastTime} {
		p.written[c] = uint64(none)
		p.numbers[c].Store(uint64(none))
	}
	return p
}

// Close forgets the blocks. The numbers stay.
func (p *Published) Close() { p.view.Store(&View{}) }

// View returns the current list of blocks.
func (p *Published) View() *View { return p.view.Load() }

// Last returns the highest sequence that readers may see.
func (p *Published) Last() uint64 { return p.numbers[countLast].Load() }

// First returns the lowest sequence that may be live.
func (p *Published) First() uint64 { return p.numbers[countFirst].Load() }

// Range returns First and Last as of one instant.
func (p *Published) Range() (first, last uint64) {
	for {
		before := p.version.Load()
		if before&1 != 0 {
			continue
		}
		first, last = p.First(), p.Last()
		if p.version.Load() == before {
			return first, last
		}
	}
}

// Durable returns the highest sequence known to be on stable storage.
func (p *Published) Durable() uint64 { return p.numbers[countDurable].Load() }

// snapshot copies all numbers as of one instant.
func (p *Published) snapshot(into *[counters]uint64) {
	for {
		before := p.version.Load()
		if before&1 != 0 {
			continue
		}
		for i := range into {
			into[i] = p.numbers[i].Load()
		}
		if p.version.Load() == before {
			return
		}
	}
}

// State returns the stream's state as of one instant, in constant time.
func (p *Published) State() State {
	var n [counters]uint64
	p.snapshot(&n)
	return stateOf(&n)
}

func stateOf(n *[counters]uint64) State {
	s := State{
		Messages: n[countMessages], Bytes: n[countBytes],
		FirstSequence: n[countFirst], FirstTime: int64(n[countFirstTime]),
		LastSequence: n[countLast], LastTime: int64(n[countLastTime]),
		Subjects:     n[countSubjects],
		LostMessages: n[countLostMessages], LostBytes: n[countLostBytes],
		Durable: n[countDurable],
	}
	if s.Messages > 0 {
		s.Deleted = s.LastSequence - s.FirstSequence + 1 - s.Messages
	}
	return s
}

// Counts are totals since the engine was made, and sizes at this instant.
type Counts struct {
	State
	Blocks          uint64
	Stored          uint64 // messages stored
	RemovedMsgs     uint64 // messages removed by MaxMsgs
	RemovedBytes    uint64 // messages removed by MaxBytes
	RemovedAge      uint64 // messages removed by MaxAge
	RefusedMsgs     uint64 // refused by MaxMsgs
	RefusedBytes    uint64 // refused by MaxBytes
	RefusedSize     uint64 // refused for their size
	RefusedSequence uint64 // refused for a sequence that did not match
	Unacknowledged  uint64 // bytes of records not yet acknowledged or, at SyncNever, not yet written
}

// Counts returns totals and state as of one instant.
func (p *Published) Counts() Counts {
	var n [counters]uint64
	p.snapshot(&n)
	return Counts{
		State: stateOf(&n), Blocks: n[countBlocks], Stored: n[countStored],
		RemovedMsgs: n[countRemovedMsgs], RemovedBytes: n[countRemovedBytes], RemovedAge: n[countRemovedAge],
		RefusedMsgs: n[countRefusedMsgs], RefusedBytes: n[countRefusedBytes],
		RefusedSize: n[countRefusedSize], RefusedSequence: n[countRefusedSequence],
		Unacknowledged: n[countUnacknowledged],
	}
}

// publish makes n the published numbers. The engine alone calls it.
func (p *Published) publish(n *[counters]uint64) {
	changed := false
	for i := range n {
		if n[i] == p.written[i] {
			continue
		}
		if !changed {
			changed = true
			p.version.Add(1)
		}
		p.written[i] = n[i]
		p.numbers[i].Store(n[i])
	}
	if changed {
		p.version.Add(1)
	}
}

// View is the list of blocks at one instant. It never changes.
type View struct {
	blocks []*BlockView
}

// Find returns the block that holds sequence, if a block spans it.
func (v *View) Find(sequence uint64) *BlockView {
	low, high := 0, len(v.blocks)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if v.blocks[middle].First <= sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return nil
	}
	return v.blocks[low-1]
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
	// removed holds the sequences of records in the file that are no longer
	// live, other than those below the stream's first sequence.
	removed atomic.Pointer[[]SequenceRange]
}

// Removed reports whether the message at sequence is in the file but gone.
func (b *BlockView) Removed(sequence uint64) bool {
	ranges := b.removed.Load()
	return ranges != nil && inRanges(*ranges, sequence)
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

// slotChunk is a stretch of a block's table, one entry a message record.
type slotChunk struct {
	sequence [slotsPerChunk]uint64
	time     [slotsPerChunk]int64
	offset   [slotsPerChunk]uint32
	size     [slotsPerChunk]uint32
	subject  [slotsPerChunk]uint32
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
	return int64(c.offset[i%slotsPerChunk]), int(c.size[i%slotsPerChunk]), true, true
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

// Records calls visit for each visible record from sequence on, in order, until
// visit returns false. It reports whether the table is in memory and reaches back
// to from, and visits nothing when it does not.
func (t *Tail) Records(from uint64, visit func(sequence uint64, offset int64, size int) bool) (known bool) {
	if from < t.from {
		return false
	}
	t.touch()
	n := int(t.visible.Load())
	chunks := t.slots.Load()
	if chunks == nil {
		return n == 0
	}
	for i := findSlot(*chunks, n, from); i < n; i++ {
		c, at := (*chunks)[i/slotsPerChunk], i%slotsPerChunk
		if !visit(c.sequence[at], int64(c.offset[at]), int(c.size[at])) {
			break
		}
	}
	return true
}

func slotSequence(chunks []*slotChunk, i int) uint64 {
	return chunks[i/slotsPerChunk].sequence[i%slotsPerChunk]
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
	low, high := 0, len(ranges)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if ranges[middle].Last < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low < len(ranges) && ranges[low].First <= sequence
}
