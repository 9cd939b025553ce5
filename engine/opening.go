package engine

import "slices"

// opening is what is left to do when all blocks are scanned and before the stream
// serves: to apply tombstones, and then the limits, and to commit the records that this
// takes. It goes on as the tables that it needs come in, and when the commit is done.
//
// Until then nothing is published, not even a count: a commit may fail, and readers
// then go on with what the engine before this one has published, which is whole. For the
// same reason no file is removed before.
type opening struct {
	tombstones map[*block][]uint64
	first      uint64 // what is below was removed, as a floor says or by the engine that failed
	unwritten  bool   // no floor says so
	keeping    keeping
	frugal     bool // see Recovery.Frugal
	secures    bool // what is written replaces what the files of Config.Derived say
	per        perPass
	limited    bool
	ids        idScan
	ready      bool // all is staged, and may be committed
}

// Opening reports whether the engine is not ready to serve yet.
func (e *Engine) Opening() bool { return !e.serving() && e.failed == nil }

// serving reports whether the engine has done all that opening a stream takes. It
// carries out commands, publishes, and has files removed only then.
func (e *Engine) serving() bool { return e.opening == nil }

// mayCommit reports whether what is staged may be written. While the stream is being
// opened, all that it takes is written at once, when all of it is known.
func (e *Engine) mayCommit() bool {
	if e.serving() {
		return e.firstTimeKnown()
	}
	return e.opening.ready
}

// targets sorts the sequences that tombstones name by the block that may have a
// message of the sequence. Tombstones of sequences that no block spans name nothing.
func (e *Engine) targets(tombstones []Tombstone) map[*block][]uint64 {
	targets := make(map[*block][]uint64)
	for _, t := range tombstones {
		i, _ := slices.BinarySearchFunc(e.blocks, t.Sequence, func(b *block, sequence uint64) int {
			if b.last < sequence {
				return -1
			}
			return 1
		})
		if i < len(e.blocks) && e.blocks[i].msgs > 0 && e.blocks[i].firstMsg <= t.Sequence {
			targets[e.blocks[i]] = append(targets[e.blocks[i]], t.Sequence)
		}
	}
	return targets
}

// open does what it can of what is left of opening, and asks for tables for the rest.
func (e *Engine) open() {
	o := e.opening
	if o == nil || e.inflight != nil {
		return
	}
	o.ready = false
	for _, b := range e.blocks {
		targets := o.tombstones[b]
		if len(targets) == 0 {
			continue
		}
		if b.scanned == nil {
			e.request(b)
			continue
		}
		e.bury(b, targets)
		delete(o.tombstones, b)
	}
	if len(o.tombstones) > 0 {
		return
	}
	if !e.keepOnly(o) {
		return
	}
	if !o.limited {
		e.refreshHead()
		if !e.removeBelow(o.first) || !e.applyPerSubject(o) || !e.tablesReady(0, 0) {
			return
		}
		if o.unwritten && len(e.blocks) > 0 {
			e.writeFloor(o.first)
			o.unwritten = false
		}
		e.enforce()
		o.limited = true
	}
	if !e.livesFound() {
		return
	}
	if !e.marks() {
		e.expire()
	}
	for _, b := range e.blocks {
		if b.loading {
			return
		}
	}
	if !e.idsFound() {
		return
	}
	if o.ready = e.current.staged(); !o.ready {
		e.opened()
	}
}

// removeBelow removes all messages below a sequence. It reports false when a table for
// that is not in memory yet; it has asked for it then.
func (e *Engine) removeBelow(first uint64) bool {
	for b := e.head(); b != nil && b.firstLive < first; b = e.head() {
		if _, loaded := b.table(b.firstLive); !loaded {
			e.request(b)
			return false
		}
		if b.last >= first {
			e.stayBelow(b)
		}
		if !e.removeHead(countRemovedMsgs, func(b *block) bool { return b.last < first }) {
			return false
		}
	}
	return true
}

// opened publishes the recovered stream, all of which has been committed, and frees what
// only recovery needed.
func (e *Engine) opened() {
	e.opening = nil
	e.lostAtOpen = e.counts[countLostMessages]
	for _, b := range e.blocks {
		if !e.cfg.Limits.evicts() || !e.nearHead(b) {
			b.scanned = nil
		}
	}
	e.fillNumbers()
	e.counts[countUnindexed] = e.indexing.missing()
	for _, b := range e.blocks {
		b.publishDeleted()
		e.compacting.consider(e, b)
	}
	e.counts[countUncompacted] = e.compacting.missing()
	e.setBlocks(e.blocks) // readers were shown none of the lists of groups until now
	e.pub.turn.Add(1)
	e.openedNotices()
	e.telling.wanted = false // recovery has written down what it has found
	// A truncation may have left none of what readers are shown.
	e.lostChanged = e.lostChanged || len(e.pub.lostList()) > 0
	e.showLost()
	if e.last() < e.pub.Last() {
		e.pub.publish(&e.numbers) // first: nobody looks for a message in a view that never had it
		e.pub.rewind(e.last())
	}
	e.pub.view.Store(e.changedView())
	e.pub.showTree(e.subjects.Tree())
	e.pub.publish(&e.numbers)
	e.pub.turn.Add(1)
	e.expireOnceOpen()
	e.unpark()
}

// refreshHead finds the head of the stream anew, after tombstones were applied.
func (e *Engine) refreshHead() {
	if len(e.blocks) == 0 || e.last() == 0 {
		return
	}
	if e.blocks[0].msgs == 0 {
		e.dropEmptied()
	}
	e.refreshFirst()
}

// bury removes the messages that tombstones name from a block whose table is in
// memory.
func (e *Engine) bury(b *block, targets []uint64) {
	slices.Sort(targets)
	for _, sequence := range slices.Compact(targets) {
		i := b.scanned.Search(sequence)
		if i == b.scanned.n || b.scanned.Sequence(i) != sequence {
			continue
		}
		e.takeMessage(b, b.scanned, i, countRemovedMsgs)
		b.deleted.add(sequence, sequence)
	}
	e.afterBurial(b)
}

// afterBurial brings a block up to date from which messages were taken while the stream is being opened.
func (e *Engine) afterBurial(b *block) {
	b.publishDeleted()
	if b.msgs > 0 && b.deleted.contains(b.firstLive) {
		b.inAppended, b.cursor = false, b.scanned.Search(b.firstLive)
		if !b.advance() {
			e.loseRest(b)
		}
	}
}
