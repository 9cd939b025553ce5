package engine

// trimMemory drops what is written of the tail's bytes when Buffers says that too many
// are out.
func (e *Engine) trimMemory() {
	b := e.tail
	if b == nil || b.memory.tail == nil || !e.cfg.Buffers.Tight() {
		return
	}
	if end := e.durability.written.end; end.Block == b.id {
		b.memory.trim(end.Offset, e.cfg.Buffers)
	}
}

// releaseMemory drops the memory of a block that takes no more records. Its tables
// stay when a limit may soon remove messages from the block.
func (e *Engine) releaseMemory(b *block) {
	keep := e.cfg.Limits.evicts() && e.nearHead(b)
	b.memory.drop(b.appended, e.cfg.Buffers, &e.spareSlots, keep)
	if !keep {
		b.forgetTables()
	}
}

// dropIdleMemory drops the memory of a tail that nobody has written to for a
// while. Readers find its records in the file.
func (e *Engine) dropIdleMemory() {
	b := e.tail
	if b == nil || b.memory.tail == nil || e.inflight != nil || !e.current.idle() ||
		e.now < e.durability.lastWrite+idleAfter {
		return
	}
	b.memory.drop(b.appended, e.cfg.Buffers, &e.spareSlots, false)
	b.forgetTables()
	e.spareSlots, e.chunkHint = nil, smallestChunk
	e.groups.shrink()
	e.sent = nil
	e.returnAllLent()
	e.prefetch()
}
