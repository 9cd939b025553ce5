package engine

import "slices"

// showDeletions shows readers what a group has deleted, and returns the list of blocks that they are to see: the
// group's own, or the one that they have been shown.
//
// A snapshot never changes, so the view of a block that a snapshot may have is left as it is, and a copy takes
// its place in the list. One that was made since the last snapshot is changed in place.
func (e *Engine) showDeletions(g *group, list *View) *View {
	copied := false
	for _, d := range g.deletions {
		if d.view.epoch == e.viewEpoch {
			d.view.deleted.Store(d.set)
		} else if i, ok := list.at(d.view.ID); ok {
			if !copied {
				list, copied = &View{slices.Clone(list.blocks)}, true
			}
			list.blocks[i] = list.blocks[i].with(d.set, e.viewEpoch)
			if d.block.view == d.view {
				d.block.view = list.blocks[i]
			}
		}
		// A view that the block was given since then has been shown to nobody. The one that readers were shown stays
		// as it is also when the block has gone from the list.
		if v := d.block.view; v != d.view {
			v.deleted.Store(d.set)
		}
	}
	clear(g.deletions)
	g.deletions = g.deletions[:0]
	return list
}

// at returns the index of the block with a number.
func (v *View) at(id uint32) (int, bool) {
	return slices.BinarySearchFunc(v.blocks, id, func(b *BlockView, id uint32) int { return int(int64(b.ID) - int64(id)) })
}

// with returns a copy of the view in which other sequences are deleted.
func (b *BlockView) with(deleted *deletedSnapshot, epoch uint64) *BlockView {
	v := newBlockView(b.ID, b.Generation, b.First, b.Tail)
	v.epoch, v.origin = epoch, b.Origin()
	v.deleted.Store(deleted)
	v.lastTime.Store(b.lastTime.Load())
	v.Attached.Store(b.Attached.Load())
	return v
}
