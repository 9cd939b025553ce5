package engine

// durability follows what is on stable storage, and holds back what must wait
// for it: flushes, and the removal of evicted blocks.
type durability struct {
	durable   uint64 // every sequence up to here is on stable storage
	written   uint64 // every sequence up to here is in the files
	synced    uint64 // the tail was synced when it held this sequence
	tail      *block // block that was written to last
	dirty     bool   // it was written to since its last sync
	syncing   bool   // a WorkSync is out
	syncMark  uint64 // what it covers
	due       int64  // when SyncInterval syncs next
	lastWrite int64

	unsealed []*block // rolled, their WorkSeal is out; SyncInterval and SyncNever
	evicted  []eviction
	waiting  []waitingReply
	stop     Reply
	stopping bool

	writtenTo Position // end of what was written
	syncedTo  Position // end of what was synced
	markedTo  Position // what a WorkSync that is out covers
}

// Position is a place in the log: an offset in a block.
type Position struct {
	Block  uint32
	Offset int64
}

// WrittenTo returns where the log ended after the last commit that succeeded.
func (e *Engine) WrittenTo() Position { return e.durability.writtenTo }

// SyncedTo returns where the log ended when it was last known to be on stable
// storage. A shell that recovers from a failed sync cuts the log here, and from
// a failed write at WrittenTo: what lies beyond may be in the page cache only.
func (e *Engine) SyncedTo() Position { return e.durability.syncedTo }

// eviction is a block that may go once a sequence is durable.
type eviction struct {
	block    uint32
	sequence uint64
}

// waitingReply is a reply that may go once a sequence is durable.
type waitingReply struct {
	sequence uint64
	reply    Reply
}

// committed notes that a group is written and, at SyncAlways, synced.
func (d *durability) committed(e *Engine, g *group) {
	last := g.numbers[countLast]
	d.written = last
	if n := len(g.pieces); n > 0 {
		d.tail, d.lastWrite = g.pieces[n-1].block, e.now
		d.dirty = e.cfg.Level != SyncAlways
		d.writtenTo = Position{d.tail.id, g.pieces[n-1].to}
	}
	for _, b := range g.rolled {
		d.unsealed = append(d.unsealed, b)
		e.schedule(WorkSeal, b.id, b.size)
	}
	if g.force || g.stop || e.cfg.Level == SyncAlways {
		d.synced, d.dirty = last, false
		d.syncedTo = d.writtenTo
	}
	if d.dirty && e.cfg.Level == SyncInterval && d.due == never {
		d.due = e.now + int64(e.cfg.SyncEvery)
	}
	for _, id := range g.evicted {
		d.evicted = append(d.evicted, eviction{id, last})
	}
	for _, r := range g.flushes {
		d.waiting = append(d.waiting, waitingReply{last, r})
	}
	if g.stop {
		d.stopping = true
	}
	d.advance()
}

// advance moves the durable mark: to what was synced, but not into a block that
// is not synced yet.
func (d *durability) advance() {
	mark := d.synced
	if len(d.unsealed) > 0 {
		mark = min(mark, d.unsealed[0].view.First-1)
	}
	d.durable = max(d.durable, mark)
}

// syncInBackground asks the maintenance lane to sync the tail.
func (e *Engine) syncInBackground() {
	d := &e.durability
	// A sealed block is synced by its seal.
	if !d.dirty || d.syncing || d.tail.sealed {
		return
	}
	d.syncing, d.dirty, d.syncMark, d.markedTo = true, false, d.written, d.writtenTo
	e.schedule(WorkSync, d.tail.id, 0)
}

// maintained takes the completion of maintenance work.
func (e *Engine) maintained(w Work) {
	d := &e.durability
	switch w.Kind {
	case WorkSync:
		d.syncing = false
		d.synced = max(d.synced, d.syncMark)
		if len(d.unsealed) == 0 {
			d.syncedTo = d.markedTo
		}
	case WorkSeal:
		// The maintenance lane keeps the order, so this is the first one.
		d.synced = max(d.synced, d.unsealed[0].last)
		d.syncedTo = Position{d.unsealed[0].id, d.unsealed[0].size}
		d.unsealed = append(d.unsealed[:0], d.unsealed[1:]...)
	}
	d.advance()
}

// settle hands out what waited for durability.
func (d *durability) settle(e *Engine) {
	for len(d.waiting) > 0 && d.waiting[0].sequence <= d.durable {
		e.reply(d.waiting[0].reply)
		d.waiting = append(d.waiting[:0], d.waiting[1:]...)
	}
	n := 0
	for n < len(d.evicted) && d.evicted[n].sequence <= d.durable {
		e.schedule(WorkRemove, d.evicted[n].block, 0)
		n++
	}
	if n > 0 {
		d.evicted = append(d.evicted[:0], d.evicted[n:]...)
	}
	if len(d.evicted) > 0 && e.inflight == nil {
		e.syncInBackground()
	}
	if d.stopping && e.idleMaintenance() && len(d.evicted) == 0 && d.stop.Tag != nil {
		e.reply(d.stop)
		d.stop = Reply{}
	}
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

// flush answers when all that came before is durable.
func (e *Engine) flush(c *Command) {
	d := &e.durability
	r := Reply{Tag: c.Tag, Sequence: e.last()}
	if e.cfg.Level == SyncAlways {
		e.replyInOrder(r)
		return
	}
	if !e.current.staged() && e.inflight == nil && !d.dirty && !d.syncing && len(d.unsealed) == 0 {
		e.reply(r)
		return
	}
	e.current.force = true
	if r.Tag != nil {
		e.current.flushes = append(e.current.flushes, r)
	}
}

// stop ends the stream: nothing is accepted after it.
func (e *Engine) stop(c *Command) {
	e.stopped = true
	e.current.stop, e.current.force = true, true
	e.durability.stop = Reply{Tag: c.Tag, Sequence: e.last()}
}
