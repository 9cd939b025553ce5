package engine

import "slices"

// The list of blocks changes through the functions of this file alone, so that
// readers are shown every change of it, and of the views in it, with the group
// that made it.

// setBlocks makes list the blocks of the stream.
func (e *Engine) setBlocks(list []*block) { e.blocks, e.viewChanged = list, true }

// addBlock adds a block behind all others.
func (e *Engine) addBlock(b *block) { e.setBlocks(append(e.blocks, b)) }

// dropBlocks takes the first n blocks off the list.
func (e *Engine) dropBlocks(n int) { e.setBlocks(shift(e.blocks, n)) }

// deleteBlocks takes the blocks of these numbers off the list.
func (e *Engine) deleteBlocks(ids []uint32) {
	e.setBlocks(slices.DeleteFunc(e.blocks, func(b *block) bool { return slices.Contains(ids, b.id) }))
}

// renewView gives readers another view of a block: one of the memory that it has
// now.
func (e *Engine) renewView(b *block) {
	v := newBlockView(b.id, b.view.Generation, b.view.First, b.memory.tail)
	v.deleted.Store(b.view.deleted.Load())
	v.lastTime.Store(b.maxTime)
	v.epoch, v.origin = e.viewEpoch, b.view.Origin()
	v.Attached.Store(b.view.Attached.Load())
	b.view = v
	e.setBlocks(e.blocks)
}

// changedView returns the list as readers are to see it, or nil when they have
// been shown it.
func (e *Engine) changedView() *View {
	if !e.viewChanged {
		return nil
	}
	e.viewChanged = false
	v := &View{blocks: make([]*BlockView, len(e.blocks))}
	for i, b := range e.blocks {
		v.blocks[i] = b.view
	}
	return v
}
