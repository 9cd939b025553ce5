package engine

import "slices"

// head returns the block that holds the first live message, or nil.
func (e *Engine) head() *block {
	for _, b := range e.blocks {
		if b.msgs > 0 {
			return b
		}
	}
	return nil
}

// removeHead removes the first live message or, when whole reports that it may, all
// live messages of the block that has it. It reports false when the stream has none, or
// the table for it is not in memory.
func (e *Engine) removeHead(reason counter, whole func(*block) bool) bool {
	b := e.head()
	if b == nil {
		return false
	}
	t, i, ok := b.head()
	switch {
	case t == nil && !b.unreadable():
		return false
	case t == nil:
		e.loseUnread(b)
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
// the subject index, and counts why it went.
func (e *Engine) takeMessage(b *block, t *Table, i int, reason counter) {
	e.take(b, t.subjectOf(e.subjects, i), t.Sequence(i), uint64(t.slot(i).size()), reason)
}

// take is takeMessage for a message of which only that is known. A table that was read again may not
// agree with what was counted; no number goes below zero.
func (e *Engine) take(b *block, id uint32, sequence, size uint64, reason counter) {
	if e.serving() {
		e.counts[reason]++
		if (reason == countRemovedAge || reason == countRemovedTTL) && e.expiry.expired != nil {
			e.expiry.expired(sequence)
		}
		e.remove(b, id, sequence)
	} else {
		// An earlier engine removed it, and counted why.
		e.subjects.Removed(id, sequence)
	}
	if e.schedules != nil {
		e.schedules.removed(sequence)
	}
	if b.lives != nil {
		e.endLife(b, sequence)
	}
	e.noteThinned(b)
	size = min(size, b.bytes)
	if b.msgs == 1 {
		size = b.bytes
	}
	e.noteRemoved(id, sequence, size, reason)
	b.msgs--
	b.bytes -= size
	if reason == countRemovedTTL && b.lives != nil {
		b.lives.expired += size
	}
	e.compacting.consider(e, b)
	e.counts[countMessages]--
	e.counts[countBytes] -= size
	if e.serving() {
		e.counts[countFreedBytes] += size
	}
}

// noteThinned notes that messages of a block are removed or lost.
func (e *Engine) noteThinned(b *block) { b.thinned, b.thinnedIn = true, e.groupNumber() }

// dropMessages removes all live messages of a block. The first is record i of table t.
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

// loseRest counts the remaining messages of a block as lost: recovery counted them, and
// a table that was read again does not list them.
func (e *Engine) loseRest(b *block) {
	e.noteMany(NoticeLost, b.msgs, b.bytes)
	e.counts[countLostMessages] += b.msgs
	e.counts[countLostBytes] += b.bytes
	e.counts[countMessages] -= b.msgs
	e.counts[countBytes] -= b.bytes
	b.msgs, b.bytes, b.damaged = 0, 0, true
	e.noteThinned(b)
	e.endLives(b, 0, maxSequence)
	e.countAnew(b)
}

// dropEmptied drops blocks without live messages from the head of the stream. It never
// drops the last block, which shows what the last sequence is, nor blocks at the head of the stream that damage
// has emptied: what was lost with them is told of until limits have taken what comes behind it.
func (e *Engine) dropEmptied() {
	e.preserveLast()
	e.dropHead()
}

// dropHead is dropEmptied that leaves a stream without messages the messages of its last block, which
// tombstones have removed: one that is emptied time and again would begin a block each time.
func (e *Engine) dropHead() {
	n := 0
	for i := 0; i < len(e.blocks)-1 && e.blocks[i].msgs == 0; i++ {
		if !e.blocks[i].allLost && !e.tellsOfLost(e.blocks[i]) {
			n = i + 1
		}
	}
	for _, b := range e.blocks[:n] {
		e.current.evicted = append(e.current.evicted, b.id)
		e.current.release = append(e.current.release, b)
		e.indexing.went(e, b)
	}
	if n > 0 {
		e.dropBlocks(n)
		e.proveLast()
		e.prefetch()
	}
}

// preserveLast sees to it, in a stream without messages, that the last block shows what
// the last sequence is, and that there is nothing else in it.
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
	// A tombstone would show it, too, but it would delete the newest message. As long
	// as the files of evicted blocks are there, recovery has to find all their
	// messages, or it would not apply the limits as they were applied here.
	e.appendSkip(last, e.lastTime)
}

// refreshFirst brings the stream's first sequence and time up to date.
func (e *Engine) refreshFirst() {
	n := &e.numbers
	e.needFirstTime()
	if b := e.head(); b != nil {
		n.counts[countFirst], n.firstTime = b.firstLive, b.firstTime
	} else {
		n.counts[countFirst], n.firstTime = n.counts[countLast]+1, NoTime
	}
	e.dropLost()
}

// tellingOfLost returns the blocks without live messages at the head of the stream, if they may tell of lost ones.
func (e *Engine) tellingOfLost() (blocks []*block) {
	if len(e.lost) == 0 {
		return nil
	}
	for _, b := range e.blocks {
		if b.msgs > 0 {
			break
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// tellsOfLost reports whether messages of a block without live ones are known to be lost, in a stream that has no
// limit which would have removed them.
func (e *Engine) tellsOfLost(b *block) bool {
	return !e.cfg.Limits.evicts() && slices.ContainsFunc(e.lost, func(l LostRange) bool { return l.Block == b.id && l.Last >= e.floor.first })
}
