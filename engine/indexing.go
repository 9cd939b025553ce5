package engine

import "slices"

// indexing has a block index written for each sealed block that is worth one, one
// after the other. A block index is derived from its block: while it is missing,
// readers take longer, and that is all.
type indexing struct {
	waiting []*block // sealed blocks without an index, oldest first
	out     *block   // its WorkIndex is out
	retryAt int64    // the last one failed; no other one before this time
	// held are blocks whose memory stays until they have an index, so that readers
	// do not meanwhile have to scan the file, nor who makes the index.
	held       []*block
	passedOver int // blocks that get theirs once they are written anew
	// lived is how long the block that went last had been sealed, see went.
	lived int64
	stale bool // there may be blocks among those that wait that are to be passed over
	// begun tells that the shell has begun to tick, and so gives indexes time.
	begun bool
}

const (
	// retryIndex is how long after a failed attempt to write an index the next
	// one comes.
	retryIndex = int64(10e9)
	// The sealed blocks that are kept in memory are leastHeld at most, or up to mostHeld where they are small, but not so
	// small that their memory is not of Config.Buffers, which bounds that of all streams together.
	leastHeld = 2
	mostHeld  = 8
	// mostHeldBytes is what more than leastHeld blocks may have, all together.
	mostHeldBytes = 16 << 20
)

// sealed notes that a block takes no more records, and is on stable storage.
func (x *indexing) sealed(e *Engine, b *block) {
	b.sealedAt = e.steady
	e.compacting.consider(e, b)
	if b.msgs > 0 && b.size >= e.cfg.IndexFrom && e.cfg.IndexFrom >= 0 {
		x.waiting = append(x.waiting, b)
	}
}

// next hands out the next index to write, unless one is being written, and reports
// whether one is. A stop waits for the index that is being written, and no other is
// begun: the next open finds what is missing.
func (x *indexing) next(e *Engine) (busy bool) {
	if x.stale {
		x.passOver(e)
	}
	for x.out == nil && len(x.waiting) > 0 && x.begun && !e.stopped && e.truncating == nil && e.serving() && e.steady >= x.retryAt {
		i := x.first(e)
		b := x.waiting[i]
		passed := x.passes(e, b)
		if !passed && e.steady < x.due(e, b) {
			break
		}
		x.waiting = slices.Delete(x.waiting, i, i+1)
		if passed {
			continue
		}
		x.outlived(e, b)
		x.out = b
		e.schedule(WorkIndex, b.id, b.size)
		if slices.Contains(x.held, b) {
			data := b.memory.all(b.size)
			b.memory.lent = data != nil
			e.work[len(e.work)-1].Data = data
		}
	}
	return x.out != nil
}

// first returns which of the blocks that wait is next: the oldest one that is in memory, if its time has come. That takes a
// third of the work, and makes room for the next block, which would otherwise have to be read. Or else the oldest one.
func (x *indexing) first(e *Engine) int {
	if len(x.held) == 0 {
		return 0
	}
	return max(0, slices.IndexFunc(x.waiting, func(b *block) bool { return slices.Contains(x.held, b) && e.steady >= x.due(e, b) }))
}

// passed notes that a block is passed over, or not any more.
func (x *indexing) passed(b *block, over bool) {
	if b.passedOver != over {
		b.passedOver = over
		if over {
			x.passedOver++
		} else {
			x.passedOver--
		}
	}
}

// missing returns how many indexes are still to be written.
func (x *indexing) missing() uint64 {
	n := len(x.waiting) + x.passedOver
	if x.out != nil {
		n++
	}
	return uint64(n)
}

// done takes the completion of a WorkIndex.
func (x *indexing) done(e *Engine, err error) {
	b := x.out
	x.out, b.memory.lent = nil, false
	if err != nil {
		x.retryAt = e.steady + retryIndex
		x.waiting = append(x.waiting, b)
	}
	x.letGo(e, b)
}

// hold keeps the memory of a block until its index is written. It reports false when
// the block gets no index soon, or memory is short.
func (x *indexing) hold(e *Engine, b *block) bool {
	if !x.begun || !x.roomFor(b) || e.steady < x.retryAt || e.stopped || e.cfg.Buffers.Tight() ||
		b.msgs == 0 || b.size < e.cfg.IndexFrom || e.cfg.IndexFrom < 0 || !slices.Contains(e.blocks, b) {
		return false
	}
	x.held = append(x.held, b)
	return true
}

// roomFor reports whether the memory of one more block may be kept.
func (x *indexing) roomFor(b *block) bool {
	bytes := b.size
	for _, held := range x.held {
		bytes += held.size
	}
	return len(x.held) < leastHeld || len(x.held) < mostHeld && bytes <= mostHeldBytes && b.size >= BufferSize
}

// letGo drops the memory of a block that was held.
func (x *indexing) letGo(e *Engine, b *block) {
	if i := slices.Index(x.held, b); i >= 0 {
		x.held = slices.Delete(x.held, i, i+1)
		e.releaseMemory(b)
	}
}

// Reindex has the index of a sealed block written again.
func (e *Engine) Reindex(id uint32) {
	x := &e.indexing
	for _, b := range e.blocks {
		if b.id == id && b.sealed && b != x.out && !slices.Contains(x.waiting, b) {
			x.sealed(e, b)
		}
	}
}

// LeaveIndexing gives up all indexes that are missing, also the one that is being
// written, and all compactions: the shell will not complete that work any more.
func (e *Engine) LeaveIndexing() {
	e.indexing.waiting, e.indexing.out, e.indexing.passedOver = nil, nil, 0
	e.compacting = compacting{}
}
