package engine

// closeGroup turns the current group into a commit, and starts the next group. It
// returns nil when there is nothing to write. Replies that then wait in the group wait
// for the group before it alone, which has been written, and may leave.
func (e *Engine) closeGroup() *Commit {
	g := e.current
	if !g.staged() && !g.force {
		e.out = append(e.out, g.replies...)
		clear(g.replies)
		g.replies = g.replies[:0]
		return nil
	}
	e.closeFrame()
	e.fixOutcome(g)
	e.operations(g)
	e.depart()
	if len(g.commit.Ops) == 0 {
		e.committed()
		return nil
	}
	e.nextID++
	g.commit.ID = e.nextID
	return &g.commit
}

// fixOutcome notes what readers are to see once the group is published, before later
// commands change more.
func (e *Engine) fixOutcome(g *group) {
	for i := range g.pieces {
		if p := &g.pieces[i]; !p.seal && p.block.appended != nil {
			p.slots = p.block.appended.n
		}
	}
	g.fixDeletions()
	e.fillNumbers()
	if g.numbers == nil {
		g.numbers = new(numbers)
	}
	*g.numbers = e.numbers
	if view := e.changedView(); view != nil {
		g.view = view
	}
}

// operations lists what the commit lane has to do for the group. At SyncAlways that
// includes sealing blocks that are full; otherwise the maintenance lane seals them.
func (e *Engine) operations(g *group) {
	g.removesDerived = !e.derivedGone && len(g.pieces)+len(g.evicted) > 0 && len(e.cfg.Derived) > 0
	g.secures = g.removesDerived && !e.serving() && e.opening.secures
	if g.removesDerived && !g.secures {
		g.add(Op{Kind: OpRemoveDerived})
	}
	e.writeOperations(g)
	if g.secures {
		g.add(Op{Kind: OpRemoveDerived})
	}
}

// syncs reports whether all of a group is on stable storage when it is committed.
func (e *Engine) syncs(g *group) bool { return e.cfg.Level == SyncAlways || g.secures }

// writeOperations is operations for what is written.
func (e *Engine) writeOperations(g *group) {
	always := e.syncs(g)
	for i := range g.pieces {
		p := &g.pieces[i]
		if p.create {
			g.add(Op{Kind: OpCreate, Block: p.block.id})
		}
		if p.to > p.from {
			start := len(g.data)
			g.data = p.block.memory.pieces(g.data, p.from, p.to)
			g.add(Op{
				Kind: OpWrite, Block: p.block.id, Offset: p.from,
				Data: g.data[start:len(g.data):len(g.data)],
				Sync: always && !p.seal,
			})
			g.commit.Bytes += int(p.to - p.from)
		}
		if p.seal {
			if always {
				g.add(Op{Kind: OpSeal, Block: p.block.id, Offset: p.to})
			} else {
				g.rolled = append(g.rolled, p.block)
			}
		}
	}
	if e.tail == nil {
		return
	}
	switch {
	case g.stop:
		g.add(Op{Kind: OpSeal, Block: e.tail.id, Offset: e.tail.size})
	case g.force && !always:
		g.add(Op{Kind: OpSync, Block: e.tail.id})
	}
}

func (g *group) add(op Op) { g.commit.Ops = append(g.commit.Ops, op) }

// worthWriting is the size from which on a group does not linger, in bytes. A write
// costs as much as encoding some hundred small records, a few KiB: beyond this size,
// waiting saves little.
const worthWriting = 64 << 10

// lingers reports whether the current group waits for more records before it is
// written. Only at SyncNever it may, since its replies have left already.
func (e *Engine) lingers() bool {
	g := e.current
	return g.shown && !e.holding && g.size < worthWriting && e.steady-g.shownAt < int64(e.cfg.Linger) &&
		!g.held && !g.force && !g.hurries && !g.stop && len(g.evicted) == 0
}

// committed completes the group in flight.
func (e *Engine) committed() {
	g := e.arrive()
	e.derivedGone = e.derivedGone || g.removesDerived
	e.counts[countUnacknowledged] -= uint64(g.size)
	e.durability.committed(e, g)
	if e.cfg.Level != SyncNever || g.held || !e.serving() {
		e.publish(g)
	}
	for i := range g.pieces {
		if p := &g.pieces[i]; p.seal && e.syncs(g) {
			e.indexing.sealed(e, p.block)
		}
	}
	for _, b := range g.release {
		e.indexing.letGo(e, b)
		if !e.indexing.hold(e, b) {
			e.releaseMemory(b)
		}
	}
	e.trimMemory()
	e.out = append(e.out, g.replies...)
	e.out = append(e.out, g.written...)
	e.reuse(g)
	e.open()
}
