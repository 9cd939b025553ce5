package engine

// Frozen is a stream as of one instant, down to which messages are live: unlike a Snapshot it does not learn of
// what is removed later. The files of its blocks may be removed, or others take their place.
type Frozen struct {
	State
	Blocks []FrozenBlock
}

// FrozenBlock is one block of a Frozen.
type FrozenBlock struct {
	// View names the bytes of the block. Of what is deleted it says what is so now.
	View *BlockView
	// Messages is how many messages of the block are live, all of which have sequences within First..Last.
	Messages    uint64
	First, Last uint64
	deleted     *deletedSnapshot
}

// Live reports whether the message of a sequence, if the block has one, was live at the instant.
func (b *FrozenBlock) Live(sequence uint64) bool {
	return sequence >= b.First && sequence <= b.Last && !b.deleted.contains(sequence)
}

// freeze returns a snapshot with what is deleted in its blocks, which is of the same instant if nothing was published
// since.
func freeze(s *Snapshot) *Frozen {
	f := &Frozen{State: s.State, Blocks: make([]FrozenBlock, len(s.View.blocks))}
	for i, b := range s.View.blocks {
		f.Blocks[i] = FrozenBlock{View: b, deleted: b.deleted.Load()}
	}
	return f
}

// count finds out between which sequences each block has live messages, and how many.
func (f *Frozen) count() {
	for i := range f.Blocks {
		b := &f.Blocks[i]
		b.First, b.Last = max(b.View.First, f.FirstSequence), f.LastSequence
		if i+1 < len(f.Blocks) {
			b.Last = min(b.Last, f.Blocks[i+1].View.First-1)
		}
		if b.First <= b.Last {
			b.Messages = b.Last - b.First + 1 - b.deleted.within(b.First, b.Last)
		}
	}
}
