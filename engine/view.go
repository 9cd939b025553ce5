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
	if high > 2 {
		low, high = v.near(sequence)
	}
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

// near returns bounds for the first block behind the one that spans sequence. Blocks mostly have about as many
// sequences each, and then a look at two of them is all that it takes.
func (v *View) near(sequence uint64) (low, high int) {
	high = len(v.blocks)
	first, last := v.blocks[0].First, v.blocks[high-1].First
	if sequence < first {
		return 0, 0
	}
	if sequence >= last {
		return high, high
	}
	at := int(float64(sequence-first) / float64(last-first) * float64(high-1))
	if at = min(at, high-2); v.blocks[at].First <= sequence {
		if low = at + 1; v.blocks[low].First > sequence {
			high = low
		}
		return low, high
	}
	if high = at; v.blocks[at-1].First <= sequence {
		low = at
	}
	return low, high
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
	ID uint32
	// Generation and ID name the bytes of the block's file: for as long as a
	// Published lives, other bytes of a block of this number have a later
	// generation. All blocks of an engine are of the generation that its recovery
	// began, since what is recovered after a failure may differ from what was
	// there.
	Generation uint64
	First      uint64 // no message of an earlier sequence is in this block
	// Tail is the memory of the block while it takes records, and until the last
	// of them is written. It is nil in a block that was only scanned.
	Tail *Tail
	// deleted holds the sequences from First on, up to the block's last, that have
	// no message. Of those below the stream's first sequence it need not have any.
	deleted  atomic.Pointer[deletedSnapshot]
	lastTime atomic.Int64
	// epoch is that of the engine's views when this one was made, see Engine.showDeletions.
	epoch uint64
	// origin is the first view of this generation of the block, nil in that itself.
	origin *BlockView
	// Attached is for the shell, which keeps there what it needs to read the
	// block's file. The engine does not look at it.
	Attached atomic.Pointer[any]
}

// newBlockView returns the view of a block without messages.
func newBlockView(id uint32, generation, first uint64, tail *Tail) *BlockView {
	v := &BlockView{ID: id, Generation: generation, First: first, Tail: tail}
	v.lastTime.Store(math.MinInt64)
	return v
}

// Origin returns the first view of this generation of the block, which is reachable for as long as any is.
func (b *BlockView) Origin() *BlockView {
	if b.origin != nil {
		return b.origin
	}
	return b
}

// LastTime returns the highest time of a message in the block, which is math.MinInt64
// when it has none. It may be ahead of the messages that are visible.
func (b *BlockView) LastTime() int64 { return b.lastTime.Load() }

// Deleted reports whether a sequence that the block spans has no message. There may be
// one in the file all the same, which was removed.
func (b *BlockView) Deleted(sequence uint64) bool {
	return b.deleted.Load().contains(sequence)
}

// DeletedWithin returns how many of the sequences from..to are deleted, of those
// that the block spans.
func (b *BlockView) DeletedWithin(from, to uint64) uint64 { return b.deleted.Load().within(from, to) }

// EachDeleted calls visit for the ranges of deleted sequences within from..to, of
// those that the block spans, in order. Between two of them there is a sequence that
// is not deleted.
func (b *BlockView) EachDeleted(from, to uint64, visit func(first, last uint64)) {
	b.deleted.Load().stretches().each(from, to, visit)
}

// LiveAfter returns the first sequence at or after one that is not deleted; it may be
// behind the block's last.
func (b *BlockView) LiveAfter(sequence uint64) uint64 {
	return b.deleted.Load().stretches().liveAfter(sequence)
}

// LiveBefore returns the last sequence at or before one that is not deleted; it may
// be before the block's first.
func (b *BlockView) LiveBefore(sequence uint64) uint64 {
	return b.deleted.Load().stretches().liveBefore(sequence)
}
