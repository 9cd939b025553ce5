package engine

import "sort"

// This file removes messages from anywhere in the stream. A removal that somebody asked
// for is a tombstone in the log; one by a limit is nothing, as the limit is applied again
// when the stream is opened.

// blockOf returns the block that has the live message of a sequence, or nil.
func (e *Engine) blockOf(sequence uint64) *block {
	i := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].last >= sequence })
	if i == len(e.blocks) {
		return nil
	}
	if b := e.blocks[i]; b.live(sequence) {
		return b
	}
	return nil
}

// live reports whether the block has a live message of a sequence that it spans.
func (b *block) live(sequence uint64) bool {
	return b.msgs > 0 && b.firstLive <= sequence && sequence <= b.last && !b.deleted.contains(sequence)
}

// record returns the table and index of a live message of the block. It reports false
// when the table is not in memory, or does not list it.
func (b *block) record(sequence uint64) (t *Table, i int, ok bool) {
	t, loaded := b.table(sequence)
	if !loaded || t == nil {
		return nil, 0, false
	}
	i = t.Search(sequence)
	return t, i, i < t.n && t.Sequence(i) == sequence
}

// needTable asks for the table that lists a sequence of the block, if it is not in
// memory. available is false then; unreadable tells that it is too early to try again
// what has failed.
func (e *Engine) needTable(b *block, sequence uint64) (available, unreadable bool) {
	if _, loaded := b.table(sequence); loaded {
		b.used = e.steady
		return true, false
	}
	b.lent = true
	return false, !e.request(b)
}

// removeAt removes the live message that record i of a table of the block is of.
func (e *Engine) removeAt(b *block, t *Table, i int, reason counter) {
	sequence := t.Sequence(i)
	e.takeMessage(b, t, i, reason)
	e.afterRemoval(b, sequence)
}

// afterRemoval brings a block up to date from which a message was taken.
func (e *Engine) afterRemoval(b *block, sequence uint64) {
	b.deleted.add(sequence, sequence)
	e.current.deletes(b)
	switch {
	case b.msgs == 0:
		e.emptied = append(e.emptied, b)
	case sequence == b.firstLive:
		e.moveFirstLive(b)
	}
}

// moveFirstLive finds the first live message of a block anew when the one that was has been removed.
func (e *Engine) moveFirstLive(b *block) {
	if _, _, ok := b.head(); ok {
		if !b.advance() {
			e.loseRest(b)
		}
		return
	}
	b.firstLive = b.deleted.settled().liveAfter(b.firstLive)
	if t, i, ok := b.head(); ok {
		b.firstTime, b.timeStale = t.slot(i).time, false
		return
	}
	// The time of the message before stands until the table is in memory. Where that is the first block, no
	// group is closed meanwhile: see firstTimeKnown.
	b.timeStale = true
}

// needFirstTime has the table of the first block with messages loaded, if the time of its first message is
// not known.
func (e *Engine) needFirstTime() {
	if b := e.head(); b != nil && b.timeStale {
		e.request(b)
	}
}

// firstTimeKnown reports whether the time of the first message is known, or will not be soon.
func (e *Engine) firstTimeKnown() bool {
	b := e.head()
	return b == nil || !b.timeStale || !b.loading
}

// removed brings the stream up to date after messages were removed.
func (e *Engine) removed() { e.refreshFirst() }

// dropAllEmptied drops the blocks that have lost their last message since the last time.
// The last block stays: it takes the next records. Once the stream is stopping all stay, until it is opened the next
// time: what is written to drop them would come behind the group of the stop, and nothing syncs that.
func (e *Engine) dropAllEmptied() {
	if len(e.emptied) == 0 || e.stopped {
		return
	}
	list := e.emptied
	e.emptied = nil
	for _, b := range list {
		if b.msgs == 0 {
			e.indexing.letGo(e, b) // nobody waits for its index any more
		}
		switch i := e.indexOf(b); {
		case i < 0 || b.msgs > 0 || b.allLost || b.moving:
		case i == len(e.blocks)-1 || b.memory.tail != nil:
			e.emptied = append(e.emptied, b) // it takes records, or some of its own are not written yet
		case i == 0 || e.head() == nil || e.blocks[i].id < e.head().id:
			e.dropHead()
		default:
			e.dropInterior(b, i)
		}
	}
	e.refreshFirst()
}

func (e *Engine) indexOf(b *block) int {
	i := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].id >= b.id })
	if i < len(e.blocks) && e.blocks[i] == b {
		return i
	}
	return -1
}

// dropInterior drops a block without live messages that has others before and behind it.
// Tombstones in it that name messages of other files are written again before.
func (e *Engine) dropInterior(b *block, i int) {
	if b.tombstones {
		b.moving = true
		e.schedule(WorkTombstones, b.id, b.size)
		return
	}
	e.evictInterior(b, i)
}

// evictInterior takes block i off the list. The block before it accounts for its
// sequences from then on.
func (e *Engine) evictInterior(b *block, i int) {
	before := e.blocks[i-1]
	before.deleted.add(before.last+1, b.last)
	before.last = b.last
	if before.appended == nil {
		before.tailFrom = max(before.tailFrom, before.last+1)
	}
	e.current.deletes(before)
	e.keepFloor(b)
	e.current.evicted = append(e.current.evicted, b.id)
	e.current.release = append(e.current.release, b)
	e.indexing.went(e, b)
	e.deleteBlocks([]uint32{b.id})
	e.proveLast()
}

// proveLast sees to it that some block shows what the last sequence is.
func (e *Engine) proveLast() {
	last := e.last()
	for i := len(e.blocks) - 1; i >= 0; i-- {
		if e.blocks[i].proves >= last {
			return
		}
	}
	if last > 0 {
		e.appendSkip(last, e.lastTime)
	}
}

// tombstonesMoved takes the tombstones of a block that has no live message. Those that
// name a message which another file has are written again, and the block goes.
func (e *Engine) tombstonesMoved(w Work, d Done) {
	i := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].id >= w.Block })
	if i == len(e.blocks) || e.blocks[i].id != w.Block || !e.blocks[i].moving {
		return
	}
	b := e.blocks[i]
	b.moving = false
	if d.Err != nil || e.stopped || b.msgs > 0 || i == len(e.blocks)-1 {
		return // it stays, until the stream is opened the next time
	}
	namesAnother := e.namesAnother(b)
	for _, t := range d.Tombstones {
		if namesAnother(t.Sequence) && e.blockOf(t.Sequence) == nil {
			e.tombstone(t.Sequence, t.Time)
		}
	}
	if i == 0 {
		e.dropHead()
		return
	}
	e.evictInterior(b, i)
}
