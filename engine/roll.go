package engine

import (
	"math"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
)

// full reports whether the tail has no room for so many bytes of records, or there is no tail. One record
// goes into an empty block however long it is.
func (e *Engine) full(n int) bool {
	b := e.tail
	if b == nil || b.size == 0 {
		return b == nil
	}
	if !b.memory.frame.open {
		n += e.emptySize // for the mark
	}
	return b.size+int64(n) > e.cfg.BlockSize
}

// roll ends the tail, which is sealed with the current group, and starts the next
// block.
func (e *Engine) roll() {
	if old := e.tail; old != nil {
		e.closeFrame()
		p := e.current.pieceFor(old)
		p.seal = true
		if old.appended != nil {
			p.slots = old.appended.n
		}
		old.sealed = true
		e.current.release = append(e.current.release, old)
		if n := len(old.memory.chunks); n > 0 {
			e.chunkHint = len(old.memory.chunks[n-1].bytes)
		}
		if old.msgs == 0 && !old.tombstones && e.floor.block != old.id {
			e.emptied = append(e.emptied, old) // what it has are skips
		}
	}
	e.lastID++
	b := &block{id: e.lastID, last: e.last(), maxTime: math.MinInt64, times: stamps.NoStamps(), due: never, around: stamps.None, codec: e.cfg.Codec.Block(e.lastID), few: new(fewSubjects)}
	b.startMemory(e.last() + 1)
	b.view = newBlockView(b.id, e.generation, e.last()+1, b.memory.tail)
	b.view.epoch = e.viewEpoch
	e.addBlock(b)
	e.tail = b
	e.current.pieceFor(b).create = true
}

// startMemory gives a block memory for the records of sequences from one on. Those
// before are in its file.
func (b *block) startMemory(from uint64) {
	b.memory.tail = newTail(from)
	b.tailFrom, b.scannedSize = from, b.size
	b.appended = &Table{}
}
