package engine

import "github.com/seed-d8b58eba/millrace/engine/subjects"

// publishStaged is called at SyncNever alone: it shows readers all that is staged, and
// lets its replies leave, unless too much of it waits to be written.
func (e *Engine) publishStaged() {
	g := e.current
	if !g.staged() || !e.firstTimeKnown() {
		return
	}
	behind := e.inflight != nil && e.inflight.held
	if g.held = behind || int64(e.counts[countUnacknowledged]) > e.cfg.MaxUnwritten; g.held {
		return
	}
	if !g.shown {
		g.shown, g.shownAt = true, e.steady
	}
	e.closeFrame()
	e.fixOutcome(g)
	e.publish(g)
	g.view = nil
	e.out = append(e.out, g.replies...)
	clear(g.replies)
	g.replies = g.replies[:0]
}

// publish makes a group visible. While the stream is being opened readers see nothing of
// it: opened shows them all at once.
func (e *Engine) publish(g *group) {
	if !e.serving() {
		e.indexSubjects(g) // what opening removed
		e.showDeletions(g, &View{})
		return
	}
	e.pub.turn.Add(1)
	if e.pub.held.Load() {
		e.pub.held.Store(false)
		e.subjects.Freeze()
		e.viewEpoch++
	}
	shown := e.pub.view.Load()
	list := shown
	if g.view != nil {
		list = g.view
	}
	// What is lost is shown before it is deleted.
	e.showLost()
	if list = e.showDeletions(g, list); list != shown {
		e.pub.view.Store(list)
	}
	for i := range g.pieces {
		b := g.pieces[i].block
		b.view.lastTime.Store(b.maxTime)
		if b.memory.tail != nil {
			b.memory.tail.visible.Store(int64(g.pieces[i].slots))
		}
	}
	e.releaseNotices(g)
	e.indexSubjects(g)
	e.pub.showTree(e.subjects.Tree())
	g.numbers.counts[countSubjects] = uint64(e.subjects.Tree().Len())
	// What readers see at once was published since the group was closed, and
	// does not go back.
	e.showAtOnce(g.numbers)
	e.pub.publish(g.numbers)
	e.pub.turn.Add(1)
}

// indexSubjects brings the subject index up to date with a group.
func (e *Engine) indexSubjects(g *group) {
	for i := range g.pieces {
		e.countStored(&g.pieces[i])
	}
	for _, m := range g.removals {
		if m.count > 0 {
			e.subjects.RemovedMany(m.subject, uint64(m.count), m.sequence)
			continue
		}
		e.subjects.Removed(m.subject, m.sequence)
	}
	g.removals = g.removals[:0]
	for _, c := range g.corrections {
		e.subjects.Lost(c.subject, c.excess)
	}
	g.corrections = g.corrections[:0]
	e.subjects.Published(g.parity)
	e.staging.published(g.parity)
	if g.purged {
		// What readers hold of the old one stays as it is. Nothing is staged in it: no command was
		// carried out since.
		e.subjects = subjects.New(e.cfg.Seed)
		e.staging.forget()
		e.per = perSubject{}
		g.purged, e.fenced = false, false
	}
}

// publishAtOnce shows readers the counts that wait for no group.
func (e *Engine) publishAtOnce() {
	e.pub.setLogEnd(e.durability.written.end)
	e.fillAtOnce()
	if e.pub.showsAtOnce(&e.numbers) {
		return
	}
	n := e.pub.numbers()
	e.showAtOnce(&n)
	e.pub.publish(&n)
}

// showAtOnce sets those of the numbers that readers see without waiting for a
// group.
func (e *Engine) showAtOnce(n *numbers) {
	e.fillAtOnce()
	for _, c := range shownAtOnce {
		n.counts[c] = e.counts[c]
	}
}

// fillAtOnce is fillNumbers for those that readers see at once.
func (e *Engine) fillAtOnce() {
	e.counts[countDurable] = e.durability.durable.sequence
	e.counts[countUnindexed], e.counts[countUncompacted] = e.indexing.missing(), e.compacting.missing()
}

// fillNumbers brings those of the engine's numbers up to date that something else
// keeps.
func (e *Engine) fillNumbers() {
	e.counts[countSubjects] = uint64(e.subjects.Tree().Len())
	e.counts[countBlocks] = uint64(len(e.blocks))
	e.counts[countDurable] = e.durability.durable.sequence
}
