package engine

import "math"

// roll seals the tail and starts the next block.
func (e *Engine) roll() {
	if old := e.tail; old != nil {
		e.closeFrame()
		p := e.current.pieceFor(old)
		p.seal = true
		if old.live != nil {
			p.slots = old.live.n
		}
		old.sealed = true
		e.current.release = append(e.current.release, old)
		if n := len(old.memory.chunks); n > 0 {
			e.chunkHint = len(old.memory.chunks[n-1].bytes)
		}
	}
	e.lastID++
	b := &block{id: e.lastID, last: e.last(), maxTime: math.MinInt64, codec: e.cfg.Codec.Block(e.lastID)}
	e.blocks = append(e.blocks, b)
	e.tail = b
	b.memory.tail = newTail(e.last() + 1)
	b.live = &Table{}
	b.tailFrom = e.last() + 1
	b.view = e.viewOf(b)
	e.viewChanged = true
	e.current.pieceFor(b).create = true
}

// startMemory gives a block memory for the records from now on.
func (e *Engine) startMemory(b *block) {
	b.memory.tail = newTail(e.last() + 1)
	b.tailFrom, b.oldSize = e.last()+1, b.size
	b.live = &Table{}
	b.view = e.viewOf(b)
	e.viewChanged = true
}

// viewOf returns a reader's view of a block, as it is now.
func (e *Engine) viewOf(b *block) *BlockView {
	if b.view == nil {
		return newBlockView(b.id, e.last()+1, b.memory.tail)
	}
	v := newBlockView(b.id, b.view.First, b.memory.tail)
	v.gaps.Store(b.view.gaps.Load())
	v.lastTime.Store(b.maxTime)
	v.Attached.Store(b.view.Attached.Load())
	return v
}

func (e *Engine) currentView() *View {
	v := &View{blocks: make([]*BlockView, len(e.blocks))}
	for i, b := range e.blocks {
		v.blocks[i] = b.view
	}
	return v
}
