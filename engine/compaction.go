package engine

import "slices"

// compacting has blocks written anew, with their live messages alone, that have few of them, or that are to be
// compressed: WorkCompact, a few blocks at a time and beside the maintenance lane. Nobody waits for it.
//
// What a block is rid of is gone for good. So it goes by what readers have been shown to be removed, once all of
// that is durable. The file is replaced at once; readers of views of before go on with the old one.
type compacting struct {
	waiting []*block
	ready   *Compaction // of the first of waiting, until all that it goes by is durable
	group   uint64      // is durable then
	out     []compactionOut
	retryAt int64 // the last one failed; no other one before this time
}

// compactionOut is a compaction that was handed out.
type compactionOut struct {
	work       WorkID
	block      *block
	generation uint64 // of what it becomes
}

const (
	// mostCompactions is how many compactions are out at a time. Each is waiting for the disk most of the time.
	mostCompactions = 2
	// mostCompressions is the same where blocks are compressed. That keeps a processor busy, for longer than storing the
	// messages did: of two processors two of them would leave a caller who stores as fast as he can too little.
	mostCompressions = 1
)

// most returns how many compactions may be out.
func (x *compacting) most(e *Engine) int {
	if e.cfg.Compress {
		return mostCompressions
	}
	return mostCompactions
}

// has reports whether the compaction of a block is out.
func (x *compacting) has(b *block) bool {
	return slices.ContainsFunc(x.out, func(o compactionOut) bool { return o.block == b })
}

// missing returns how many blocks are to be written anew.
func (x *compacting) missing() uint64 { return uint64(len(x.waiting) + len(x.out)) }

// Compaction is what is left of a block. Its functions may be called on another goroutine, at any time.
type Compaction struct {
	Generation uint64 // of the new bytes
	// Live reports whether the message of a sequence stays, and KeepTombstone whether a tombstone does.
	Live, KeepTombstone func(sequence uint64) bool
	// KeepFloor reports whether a floor stays.
	KeepFloor func(first uint64) bool
	// Compress asks for a compressed file, if that is shorter.
	Compress bool
	// IndexFrom is from how many bytes on the block gets its index right then, from what is in memory of it; below 0 none does.
	IndexFrom int64
}

// retryCompaction is how long after a failed attempt to compact a block the next one comes.
const retryCompaction = int64(10e9)

// consider notes a block that has become worth compacting.
func (x *compacting) consider(e *Engine, b *block) {
	if b.queued || !b.sealed || b.allLost || b.msgs == 0 || !e.worthWriting(b) || e.goesSoon(b) {
		return
	}
	b.queued = true
	e.indexing.went(e, b)
	x.waiting = append(x.waiting, b)
}

// leastWon is the part of a full block that a compaction has to win, as a divisor: each takes some syncs, however
// little there is to win.
const leastWon = 16

// sparse reports whether less than CompactBelow percent of a block are live, and less than that of what was when
// it was compacted last, and there is enough to win.
func (e *Engine) sparse(b *block) bool {
	full := b.size
	if b.compacted > 0 {
		full = min(full, b.compacted)
	}
	live := int64(b.bytes)
	return live*100 < full*int64(e.cfg.CompactBelow) && full-live >= e.cfg.BlockSize/leastWon
}

// compresses reports whether a block is to be compressed.
func (e *Engine) compresses(b *block) bool {
	return e.cfg.Compress && !b.compressed && !b.incompressible && b.size >= leastCompressed
}

// leastCompressed is the size from which on a block is compressed, in bytes: a file takes a page of a disk at least.
const leastCompressed = 4 << 10

// worthWriting reports whether a block is worth writing anew.
func (e *Engine) worthWriting(b *block) bool { return e.sparse(b) || e.compresses(b) }

// goesSoon reports whether limits remove the messages of a block next, and the block with them, or their TTLs do before
// long: it is not worth writing anew what is left until then.
func (e *Engine) goesSoon(b *block) bool {
	l := &e.cfg.Limits
	return e.expiresSoon(b) || (l.MaxAge > 0 || l.Discard == DiscardOld && (l.MaxMsgs > 0 || l.MaxBytes > 0)) && b == e.head()
}

// next hands out the next compactions, unless as many are out as may be.
func (x *compacting) next(e *Engine) {
	for len(x.out) < x.most(e) && len(x.waiting) > 0 {
		if x.ready != nil && (!x.worth(e, x.waiting[0]) || !e.mayCompact(x.waiting[0])) {
			x.ready = nil
		}
		if x.ready == nil && !x.choose(e) {
			return
		}
		b := x.waiting[0]
		d := &e.durability
		if x.ready == nil {
			x.ready, x.group = e.prepare(b), e.provenIn(b)
		}
		// A group that writes nothing is not counted.
		settled := e.inflight == nil && !e.current.staged() && d.durable.group == d.written.group
		if d.durable.group < x.group && !settled {
			// In a stream that is always writing something is always in flight.
			if e.inflight == nil || d.written.group >= x.group {
				e.syncInBackground()
			}
			return
		}
		id := e.schedule(WorkCompact, b.id, b.size)
		e.work[len(e.work)-1].Compaction = x.ready
		e.pending[id] = e.work[len(e.work)-1]
		b.proves = 0 // until it is known what is left of it
		x.out = append(x.out, compactionOut{id, b, x.ready.Generation})
		x.waiting, x.ready = shift(x.waiting, 1), nil
	}
}

// worth reports whether a block that waits is still worth compacting.
func (x *compacting) worth(e *Engine, b *block) bool {
	return e.indexOf(b) >= 0 && b.msgs > 0 && e.worthWriting(b) && !b.allLost && !e.goesSoon(b)
}

// mostChosen bounds the blocks that choose looks at.
const mostChosen = 64

// choose puts the block in front, of those that wait for the longest time, that can be compacted now and has the most to
// win: where blocks get sparse faster than they are compacted, that has the most room back soon. It takes blocks out
// that are not worth it any more, and reports whether there is one.
func (x *compacting) choose(e *Engine) bool {
	if !e.compacts() {
		return false
	}
	best, most := -1, int64(-1)
	for i := 0; i < min(len(x.waiting), mostChosen); {
		b := x.waiting[i]
		if !x.worth(e, b) {
			x.waiting = slices.Delete(x.waiting, i, i+1)
			e.leaveQueue(b)
			continue
		}
		if won := b.size - int64(b.bytes); won > most && e.mayCompact(b) {
			best, most = i, won
		}
		i++
	}
	if best > 0 {
		b := x.waiting[best]
		copy(x.waiting[1:best+1], x.waiting[:best])
		x.waiting[0] = b
	}
	return best >= 0
}

// compacts reports whether any block can be compacted now: nothing is going on with the stream as a whole.
func (e *Engine) compacts() bool {
	return e.change.step == changeNothing && !e.stopped && e.serving() && e.truncating == nil && e.indexing.begun &&
		e.steady >= e.compacting.retryAt && !e.cfg.Buffers.Tight()
}

// mayCompact reports whether a block can be compacted now: nothing else is going on with it, and nothing with the files
// of evicted blocks for which tombstones in it may still be needed.
func (e *Engine) mayCompact(b *block) bool {
	d := &e.durability
	return e.compacts() && (!b.tombstones || !e.evicting()) &&
		b != e.blocks[len(e.blocks)-1] && b.memory.tail == nil && !b.loading && !b.moving && b.unseen == 0 &&
		b != e.indexing.out && e.othersProveLast(b) && !d.erasing(b.id) && !e.erasingSoon(b) &&
		!slices.ContainsFunc(d.unsealed, func(u unsealed) bool { return u.block == b })
}

// provenIn returns the number of the group with which all is durable that shows what a block is to be rid of: that
// its messages and its floor are removed, and which sequences were used. What came later may be far from durable, in a
// stream that is written to faster than the disk syncs, and does not matter.
func (e *Engine) provenIn(b *block) uint64 {
	if e.durability.durable.sequence > b.proves {
		return max(b.thinnedIn, e.floor.group)
	}
	return e.groupNumber()
}

// evicting reports whether there are files of blocks that were taken off the list.
func (e *Engine) evicting() bool {
	d := &e.durability
	return len(d.evicted) > 0 || d.removing || len(e.current.evicted) > 0 || e.inflight != nil && len(e.inflight.evicted) > 0
}

// othersProveLast reports whether another block shows what the last sequence is. One that does so alone is not
// compacted: what would be left to show it has not the time of the message that did.
func (e *Engine) othersProveLast(b *block) bool {
	for _, other := range slices.Backward(e.blocks) {
		if other != b && other.proves >= e.last() {
			return true
		}
	}
	return false
}

// erasingSoon reports whether a group that is not committed wants a record of a block overwritten.
func (e *Engine) erasingSoon(b *block) bool {
	of := func(x erasure) bool { return x.block == b }
	return slices.ContainsFunc(e.current.erasures, of) || e.inflight != nil && slices.ContainsFunc(e.inflight.erasures, of)
}

// prepare fixes what is left of a block.
func (e *Engine) prepare(b *block) *Compaction {
	deleted, first := b.view.deleted.Load().stretches(), e.pub.First()
	live := func(sequence uint64) bool { return sequence >= first && !deleted.contains(sequence) }
	floor, here := e.floor.first, e.floor.block == b.id
	keepFloor := func(first uint64) bool { return here && first == floor }
	indexFrom := e.cfg.IndexFrom
	if e.indexing.waits() {
		indexFrom = -1
	}
	return &Compaction{
		Generation: e.pub.nextGeneration(), Live: live, KeepFloor: keepFloor, KeepTombstone: e.namesAnother(b),
		Compress: e.cfg.Compress, IndexFrom: indexFrom,
	}
}

// compacted takes the completion of a WorkCompact. Without a scan the block is as it was.
func (e *Engine) compacted(w Work, s *Scan, indexed bool) {
	x := &e.compacting
	i := slices.IndexFunc(x.out, func(o compactionOut) bool { return o.work == w.ID })
	if i < 0 {
		return
	}
	b, generation := x.out[i].block, x.out[i].generation
	x.out = slices.Delete(x.out, i, i+1)
	sparse := e.sparse(b)
	if s == nil {
		b.compacted, b.incompressible = int64(b.bytes), true
		e.leaveQueue(b)
		if sparse { // and so not only for compression, which need not win anything
			e.compacting.retryAt = e.steady + retryCompaction
		}
		return
	}
	b.queued = false
	e.indexing.passed(b, false)
	b.compacted = int64(s.bytes) // what was removed meanwhile is still there
	if b.lives != nil {
		b.lives.expired = 0
	}
	b.size, b.scannedSize, b.tailFrom = s.size, s.size, b.last+1
	b.scanned, b.appended, b.inAppended, b.cursor = nil, nil, false, 0
	b.firstMsg, b.proves, b.lastRecord, b.markCRC = s.firstMsg, s.last, s.lastRecord, s.markCRC
	b.tombstones, b.hasIndex = len(s.tombstones) > 0, false
	b.compressed, b.incompressible = s.compressed, !s.compressed
	old := b.view
	b.view = newBlockView(b.id, generation, old.First, nil)
	b.view.epoch = e.viewEpoch
	b.view.deleted.Store(old.deleted.Load())
	b.view.lastTime.Store(b.maxTime)
	if e.indexOf(b) >= 0 {
		e.setBlocks(e.blocks)
		e.current.removed = true // readers are shown the view with the group
		if b.sealedAt = e.steady; !indexed {
			e.Reindex(b.id)
		}
		e.compacting.consider(e, b)
	}
}

// leaveQueue notes that a block stays as it is, and has it indexed if it was not on account of the compaction.
func (e *Engine) leaveQueue(b *block) {
	b.queued = false
	if b.passedOver {
		e.indexing.passed(b, false)
		e.Reindex(b.id)
	}
}

// retryDue returns when a compaction is worth another attempt, or never.
func (x *compacting) retryDue(steady int64) int64 {
	if len(x.waiting) == 0 || x.retryAt <= steady {
		return never
	}
	return x.retryAt
}
