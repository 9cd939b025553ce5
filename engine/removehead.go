package engine

// head returns the block that holds the first live message, or nil.
func (e *Engine) head() *block {
	for _, b := range e.blocks {
		if b.msgs > 0 {
			return b
		}
	}
	return nil
}

// removeHead removes the first live message or, when whole says so, all of its
// block. It reports false when the table for it is not in memory.
func (e *Engine) removeHead(reason counter, whole func(*block) bool) bool {
	b := e.head()
	if b == nil {
		return false
	}
	t, i, ok := b.head()
	if t == nil {
		return false
	}
	switch {
	case !ok:
		e.loseRest(b)
	case whole(b):
		e.dropMessages(b, t, i, reason)
	default:
		e.removeFirst(b, t, i, reason)
	}
	if b.msgs == 0 {
		e.dropEmptied()
	}
	e.refreshFirst()
	e.current.removed = true
	return true
}

// removeFirst removes one message at the head of its block.
func (e *Engine) removeFirst(b *block, t *Table, i int, reason counter) {
	e.takeMessage(b, t, i, reason)
	if b.msgs > 0 && !b.advance() {
		e.loseRest(b)
	}
}

// takeMessage takes the message of record i out of the stream's numbers and out of
// the subject index, and counts why it went. A table that was read again may not
// agree with what was counted; no number goes below zero.
func (e *Engine) takeMessage(b *block, t *Table, i int, reason counter) {
	if e.serving() {
		e.counts[reason]++
		e.current.gone = append(e.current.gone, goneMessage{t.subjectOf(e.subjects, i), t.Sequence(i)})
	} else {
		// An earlier engine removed it, and counted why.
		e.subjects.Removed(t.subjectOf(e.subjects, i), t.Sequence(i))
	}
	size := min(uint64(t.slot(i).size), b.bytes)
	if b.msgs == 1 {
		size = b.bytes
	}
	b.msgs--
	b.bytes -= size
	e.counts[countMessages]--
	e.counts[countBytes] -= size
}

// dropMessages removes all live messages of a block, from index i of t on.
func (e *Engine) dropMessages(b *block, t *Table, i int, reason counter) {
	for {
		for ; i < t.n && b.msgs > 0; i++ {
			if sequence := t.Sequence(i); !b.deleted.contains(sequence) {
				e.takeMessage(b, t, i, reason)
			}
		}
		if t == b.appended || b.appended == nil {
			break
		}
		t, i = b.appended, 0
	}
	if b.msgs > 0 {
		e.loseRest(b)
	}
}

// loseRest accounts for messages of a block that were there when it was last
// looked at and are no longer.
func (e *Engine) loseRest(b *block) {
	e.counts[countLostMessages] += b.msgs
	e.counts[countLostBytes] += b.bytes
	e.counts[countMessages] -= b.msgs
	e.counts[countBytes] -= b.bytes
	b.msgs, b.bytes = 0, 0
	e.current.lost = max(e.current.lost, b.last)
}

// dropEmptied drops blocks without live messages from the head of the stream.
// The last sequence outlives the block that held it.
func (e *Engine) dropEmptied() {
	e.preserveLast()
	n := 0
	for n < len(e.blocks)-1 && e.blocks[n].msgs == 0 {
		gone := e.blocks[n]
		e.current.evicted = append(e.current.evicted, gone.id)
		e.current.release = append(e.current.release, gone)
		n++
	}
	if n > 0 {
		e.dropBlocks(n)
		e.prefetch()
	}
}

// preserveLast sees to it that the last block, which stays, shows what the last
// sequence is. Of a stream without messages nothing but that is kept.
func (e *Engine) preserveLast() {
	last := e.last()
	if last == 0 || e.counts[countMessages] > 0 {
		return
	}
	b := e.blocks[len(e.blocks)-1]
	if b.firstMsg != 0 {
		e.roll()
	} else if b.proves == last {
		return
	}
	// Not a tombstone, which would delete the newest message: as long as the
	// blocks are there, recovery has to see all of it to evict what went.
	e.appendSkip(last, e.lastTime)
}

// refreshFirst brings the stream's first sequence and time up to date.
func (e *Engine) refreshFirst() {
	n := &e.numbers
	if b := e.head(); b != nil {
		n.counts[countFirst], n.firstTime = b.firstLive, b.firstTime
	} else {
		n.counts[countFirst], n.firstTime = n.counts[countLast]+1, NoTime
	}
}
