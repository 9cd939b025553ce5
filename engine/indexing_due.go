package engine

import "slices"

// In a stream whose blocks go soon after they are full, because limits remove their messages or because they are
// written anew with what is left, an index of each would be work for nothing: as much as all the rest that is done
// for the messages. So a block gets its index there once it has outlived the one that went last, by as much again.

// mostLived is how long blocks may last for the next ones to wait for their indexes.
const mostLived = int64(1e9)

// went notes that a sealed block is gone, or is about to be written anew.
func (x *indexing) went(e *Engine, b *block) {
	if b.sealedAt > 0 {
		x.lived = e.steady - b.sealedAt
	}
	x.stale = true
}

// passOver takes blocks out of those that wait that get no index now.
func (x *indexing) passOver(e *Engine) {
	x.stale = false
	x.waiting = slices.DeleteFunc(x.waiting, func(b *block) bool { return x.passes(e, b) })
}

// passes reports whether a block gets no index now: it is gone, or about to be written anew, and gets its index then.
// Its memory waits for nothing any more. A block that is not written anew before something is stored gets its index.
func (x *indexing) passes(e *Engine, b *block) bool {
	there := e.indexOf(b) >= 0
	if there && (!b.queued || b.hasIndex || b.proves >= e.last() && !e.othersProveLast(b)) {
		return false
	}
	if there {
		x.passed(b, true)
	}
	x.letGo(e, b)
	return true
}

// waits reports whether blocks wait for their indexes for a while, as they go soon.
func (x *indexing) waits() bool { return x.lived > 0 && x.lived <= mostLived }

// due returns when a block is to get its index.
func (x *indexing) due(e *Engine, b *block) int64 {
	if !x.waits() {
		return b.sealedAt
	}
	return b.sealedAt + 2*x.lived
}

// outlived notes that a block gets its index. If it had to wait for that, it is not true any more that blocks go
// soon, until one does.
func (x *indexing) outlived(e *Engine, b *block) {
	if x.due(e, b) > b.sealedAt {
		x.lived = 0
	}
}

// nextDue returns when an index that is waited with, or that could not be written, is worth an attempt, or never.
func (x *indexing) nextDue(e *Engine) int64 {
	if len(x.waiting) == 0 || x.out != nil || !e.serving() {
		return never
	}
	if at := max(x.retryAt, x.due(e, x.waiting[0])); at > e.steady {
		return at
	}
	return never
}
