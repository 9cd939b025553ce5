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

// mostKept bounds the records of blocks whose tables stay until a limit reaches them, which takes 32
// bytes each.
const mostKept = 1 << 18

// keepsTable reports whether the table of a block that takes no more records stays in memory: a
// limit may soon remove messages from the block, or will before much else, so that the table would
// only be loaded again.
func (e *Engine) keepsTable(b *block) bool {
	if !e.cfg.Limits.evicts() {
		return false
	}
	if e.nearHead(b) {
		return true
	}
	if !e.fillsUp() || e.cfg.Buffers.Tight() {
		return false
	}
	records := uint64(0)
	for _, other := range e.blocks {
		if records += other.msgs; records > mostKept || other == b {
			break
		}
	}
	return records <= mostKept
}

// fillsUp reports whether MaxMsgs or MaxBytes removes messages, or soon will.
func (e *Engine) fillsUp() bool {
	l := &e.cfg.Limits
	return l.Discard == DiscardOld &&
		(l.MaxMsgs > 0 && int64(e.counts[countMessages]) >= l.MaxMsgs/2 ||
			l.MaxBytes > 0 && int64(e.counts[countBytes]) >= l.MaxBytes/2)
}

// releaseMemory drops the memory of a block that takes no more records, and perhaps its tables.
func (e *Engine) releaseMemory(b *block) {
	keep := e.keepsTable(b)
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
		e.steady < e.durability.lastWrite+idleAfter {
		return
	}
	b.memory.drop(b.appended, e.cfg.Buffers, &e.spareSlots, false)
	b.forgetTables()
	e.spareSlots, e.chunkHint = nil, smallestChunk
	e.groups.shrink()
	e.sent = nil
	e.returnAllLent()
	for _, other := range e.blocks {
		if other.sealed && other.appended != nil && other.memory.tail == nil && !e.nearHead(other) {
			other.forgetTables()
		}
	}
	e.prefetch()
}
