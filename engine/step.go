package engine

// Step takes one command. Its tag comes back in the reply; a nil tag asks for none.
// Step never blocks: what follows from the command is in the next Ready.
func (e *Engine) Step(tag any, c Command) {
	if e.purges != nil {
		e.purges.commands++
	}
	switch {
	case e.failed != nil:
		e.reply(Reply{Tag: tag, Err: e.failed})
	case !e.serving() || e.fenced || e.holding || len(e.parked) > 0 || !e.apply(tag, c):
		e.parked = append(e.parked, parked{tag, c.clone()})
	}
}

// parked is a command that waits for a table, or for a purge, or for the stream to serve, or
// behind another one that does.
type parked struct {
	tag     any
	command Command
}

// apply carries out one command, or reports false when a table is missing that
// it needs, or a purge is going on that it waits for; nothing has changed then.
func (e *Engine) apply(tag any, c Command) bool {
	if e.stopped {
		e.replyInOrder(Reply{Tag: tag, Err: ErrStopped})
		return true
	}
	if e.purges != nil && e.waitsForPurge(c) || !c.apply(e, tag) {
		return false
	}
	e.finds = nil // what it has looked for is of no use to the next one
	return true
}

// unpark carries out parked commands, in order, up to one that still has to wait.
func (e *Engine) unpark() {
	n := 0
	for n < len(e.parked) && !e.fenced && !e.holding && e.apply(e.parked[n].tag, e.parked[n].command) {
		n++
	}
	e.parked = shift(e.parked, n)
}

// goOn carries out what waited for a group to be published. It reports whether there was any. A command for which the
// shell is still looking is tried again when the last find is done: each attempt before would go through all that it
// has in memory, for nothing.
func (e *Engine) goOn() bool {
	n := len(e.parked)
	if n == 0 || e.fenced || e.holding || !e.serving() || e.stopped || looking(e.finds) {
		return false
	}
	e.unpark()
	return len(e.parked) < n
}

// reply sends a reply with the next Ready.
func (e *Engine) reply(r Reply) {
	if r.Tag != nil {
		e.out = append(e.out, r)
	}
}

// replyInOrder sends the reply to a command that has changed nothing: after the replies
// to all commands before it, at once if these have left.
func (e *Engine) replyInOrder(r Reply) {
	switch {
	case r.Tag == nil:
	case e.current.staged() || len(e.current.replies) > 0:
		e.current.replies = append(e.current.replies, r)
	case e.inflight != nil && (e.cfg.Level != SyncNever || e.inflight.held):
		e.inflight.replies = append(e.inflight.replies, r)
	default:
		e.out = append(e.out, r)
	}
}

func (g *group) reply(r Reply) {
	if r.Tag != nil {
		g.replies = append(g.replies, r)
	}
}
