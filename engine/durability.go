package engine

import "slices"

// durability keeps account of what is on stable storage, and holds back what must
// wait for it: the replies to flushes, and the removal of evicted blocks.
type durability struct {
	written logPoint // up to here the log is in the files
	synced  logPoint // up to here it was synced, except for blocks in unsealed
	durable logPoint // up to here it is on stable storage

	tail      *block   // block that was written to last
	dirty     bool     // it was written to and no sync of that was asked for yet
	syncing   bool     // a WorkSync is out
	syncPoint logPoint // up to here it syncs the log
	due       int64    // when SyncInterval syncs next
	lastWrite int64

	unsealed []unsealed // SyncInterval and SyncNever
	evicted  []eviction
	removing bool  // a WorkRemove is out
	removeAt int64 // a removal failed; no other one before this time
	erasures []erasure
	going    []going
	waiting  []waitingReply
	stop     *Reply
	stopping bool
}

// logPoint is how far the log had come at some moment. What waits for the log to get
// there counts groups and not sequences, since the record that preserves the last
// sequence of an emptied stream uses up none.
type logPoint struct {
	group    uint64 // groups with records that were written until then
	sequence uint64 // last sequence
	end      Position
}

// combine returns the later of each part of two points both of which were reached.
func (m logPoint) combine(other logPoint) logPoint {
	m.group, m.sequence = max(m.group, other.group), max(m.sequence, other.sequence)
	if m.end.Before(other.end) {
		m.end = other.end
	}
	return m
}

// groupNumber returns the logPoint.group that is reached once the group that gathers is written. If it writes nothing,
// that is the number of a later one, or all that it goes by is durable with the one before.
func (e *Engine) groupNumber() uint64 {
	n := e.durability.written.group + 1
	if e.inflight != nil && len(e.inflight.pieces) > 0 {
		n++
	}
	return n
}

// limit returns the earlier of each part of two points.
func (m logPoint) limit(other logPoint) logPoint {
	m.group, m.sequence = min(m.group, other.group), min(m.sequence, other.sequence)
	if other.end.Before(m.end) {
		m.end = other.end
	}
	return m
}

// Position is a place in the log: an offset in a block.
type Position struct {
	Block  uint32
	Offset int64
}

// Before reports whether p comes before other in the log.
func (p Position) Before(other Position) bool {
	return p.Block < other.Block || p.Block == other.Block && p.Offset < other.Offset
}

// WrittenTo returns where the log ended after the last commit that succeeded.
func (e *Engine) WrittenTo() Position { return e.durability.written.end }

// SyncedTo returns where the log ended when all of it was last known to be on
// stable storage. A shell that recovers from a failed sync cuts the log here,
// and from a failed write at WrittenTo: what lies beyond may be in the page
// cache only.
func (e *Engine) SyncedTo() Position { return e.durability.durable.end }

// unsealed is a block that was rolled and is not synced yet; its WorkSeal is out.
type unsealed struct {
	block  *block
	before logPoint // what is durable even if the block is never sealed
	after  logPoint // what is durable once the block, and those before it, are sealed
}

// eviction is a block that may go once a group is durable.
type eviction struct {
	block uint32
	group uint64
}

// waitingReply is a reply that may go once a group is durable.
type waitingReply struct {
	group uint64
	reply Reply
}

// committed notes that a group is written and, at SyncAlways, synced.
func (d *durability) committed(e *Engine, g *group) {
	before := d.written.group
	if n := len(g.pieces); n > 0 {
		d.tail, d.lastWrite = g.pieces[n-1].block, e.steady
		d.dirty = e.cfg.Level != SyncAlways
		d.written = logPoint{before + 1, g.numbers.counts[countLast], Position{d.tail.id, g.pieces[n-1].to}}
	}
	for i := range g.pieces {
		if p := &g.pieces[i]; p.create {
			p.block.createdIn = d.written.group
		}
	}
	for _, b := range g.rolled {
		u := unsealed{
			block: b,
			// What this group did to later blocks is not covered by the seal.
			after: logPoint{before, b.last, Position{b.id, b.size}},
		}
		if b.createdIn > 0 {
			u.before = logPoint{b.createdIn - 1, b.view.First - 1, Position{b.id, 0}}
		}
		d.unsealed = append(d.unsealed, u)
		e.schedule(WorkSeal, b.id, b.size)
	}
	if g.force || g.stop || e.syncs(g) {
		d.synced, d.dirty = d.written, false
	}
	d.armSync(e)
	for _, id := range g.evicted {
		d.evicted = append(d.evicted, eviction{id, d.written.group})
	}
	for _, x := range g.erasures {
		x.group = d.written.group
		d.erasures = append(d.erasures, x)
	}
	for _, r := range g.flushes {
		d.waiting = append(d.waiting, waitingReply{d.written.group, r})
	}
	if g.stop {
		d.stopping = true
	}
	d.advance()
}

// armSync sets the next background sync of SyncInterval.
func (d *durability) armSync(e *Engine) {
	if d.dirty && !d.syncing && e.cfg.Level == SyncInterval && d.due == never {
		d.due = e.steady + int64(e.cfg.SyncEvery)
	}
}

// advance moves the durable logPoint: to what was synced, but not into a block that
// is not synced yet.
func (d *durability) advance() {
	reached := d.synced
	if len(d.unsealed) > 0 {
		reached = reached.limit(d.unsealed[0].before)
	}
	d.durable = d.durable.combine(reached)
}

// syncInBackground asks the maintenance lane to sync the tail.
func (e *Engine) syncInBackground() {
	d := &e.durability
	// A sealed block is synced by the work that seals it.
	if !d.dirty || d.syncing || d.tail.sealed || e.stopped {
		return
	}
	d.syncing, d.dirty, d.syncPoint = true, false, d.written
	e.schedule(WorkSync, d.tail.id, 0)
}

// maintained takes the completion of maintenance work that succeeded.
func (e *Engine) maintained(w Work) {
	d := &e.durability
	switch w.Kind {
	case WorkSync:
		d.syncing = false
		d.synced = d.synced.combine(d.syncPoint)
		d.armSync(e)
	case WorkSeal:
		// The maintenance lane keeps the order, so this is the first one.
		d.synced = d.synced.combine(d.unsealed[0].after)
		e.indexing.sealed(e, d.unsealed[0].block)
		d.unsealed = shift(d.unsealed, 1)
	case WorkRemove:
		d.removing = false
	case WorkErase:
		d.erased(e)
	}
	d.advance()
}

// settle hands out what waited for durability.
func (d *durability) settle(e *Engine) {
	n := 0
	for n < len(d.waiting) && d.waiting[n].group <= d.durable.group {
		e.reply(d.waiting[n].reply)
		n++
	}
	d.waiting = shift(d.waiting, n)
	d.eraseNext(e)
	d.removeEvicted(e)
	d.settleGoing(e)
	// A stop does not wait for a block that cannot be removed at the moment: the
	// next open evicts it again.
	removed := len(d.evicted) == 0 || e.steady < d.removeAt
	indexing := e.indexing.next(e)
	e.compacting.next(e)
	if d.stopping && e.idleMaintenance() && removed && len(d.erasures)+len(d.going) == 0 && !indexing && d.stop != nil {
		e.reply(*d.stop)
		d.stop = nil
	}
}

// removeEvicted asks for the removal of evicted blocks, the oldest first and one at a
// time: if an older block stayed while a younger one went, recovery would find the
// messages of the older one again.
func (d *durability) removeEvicted(e *Engine) {
	switch {
	case len(d.evicted) == 0 || d.removing || e.steady < d.removeAt:
	case e.indexing.out != nil && e.indexing.out.id == d.evicted[0].block:
		// The lane is writing the block's index, and would leave it behind.
	case d.erasing(d.evicted[0].block):
	case slices.ContainsFunc(e.compacting.out, func(o compactionOut) bool { return o.block.id == d.evicted[0].block }):
	case d.evicted[0].group <= d.durable.group:
		d.removing = true
		e.schedule(WorkRemove, d.evicted[0].block, 0)
		d.evicted = d.evicted[1:]
	case e.inflight == nil, len(e.compacting.waiting) > 0 && d.evicted[0].group <= d.written.group:
		e.syncInBackground()
	}
}

// retryDue returns when a block that could not be removed is worth another attempt,
// or never.
func (d *durability) retryDue(steady int64) int64 {
	if len(d.evicted) == 0 || d.removeAt <= steady {
		return never
	}
	return d.removeAt
}

// notRemoved takes the failure of a removal, which is tried again later. Nobody waits for that.
func (d *durability) notRemoved(e *Engine, block uint32, err error) {
	for i := range d.going {
		e.reply(d.going[i].failed(err))
	}
	d.going = nil
	d.removing = false
	d.removeAt = e.steady + retryRemove
	d.evicted = append([]eviction{{block: block}}, d.evicted...)
}

// shift takes the first n elements out of a list and keeps its memory.
func shift[T any](list []T, n int) []T {
	if n == 0 {
		return list
	}
	rest := copy(list, list[n:])
	clear(list[rest:])
	return list[:rest]
}

// idleMaintenance reports whether no work but loads is out.
func (e *Engine) idleMaintenance() bool {
	for _, w := range e.pending {
		if w.Kind != WorkLoad {
			return false
		}
	}
	return true
}
