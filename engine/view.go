package engine

import (
	"cmp"
	"math"
	"slices"
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

// newBlockView returns the view of a block without messages.
func newBlockView(id uint32, first uint64, tail *Tail) *BlockView {
	v := &BlockView{ID: id, First: first, Tail: tail}
	v.lastTime.Store(math.MinInt64)
	return v
}

// LastTime returns the highest time of a message in the block, which is math.MinInt64
// when it has none. It may be ahead of the messages that are visible.
func (b *BlockView) LastTime() int64 { return b.lastTime.Load() }

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
