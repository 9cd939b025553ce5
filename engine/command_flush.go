package engine

// Flush is answered when everything before it is durable, whatever the sync level.
type Flush struct {
	// ToSystem has it answered as soon as everything before it is written to the files, which a crash of the process
	// does not take.
	ToSystem bool
}

// Size implements Command.
func (*Flush) Size() (pieces, bytes int) { return 1, 0 }

func (c *Flush) clone() Command { own := *c; return &own }

func (*Flush) subjectAhead() string { return "" }

func (c *Flush) apply(e *Engine, tag any) bool {
	d := &e.durability
	r := Reply{Tag: tag, Sequence: e.last()}
	switch {
	case e.cfg.Level == SyncAlways:
		e.replyInOrder(r)
	case c.ToSystem:
		e.replyWritten(r)
	case !e.current.staged() && e.inflight == nil && d.durable.group == d.written.group:
		e.reply(r)
	default:
		e.current.force = true
		if tag != nil {
			e.current.flushes = append(e.current.flushes, r)
		}
	}
	return true
}

// replyWritten sends a reply when all that was staged is in the files.
func (e *Engine) replyWritten(r Reply) {
	switch {
	case e.current.staged():
		e.current.hurries = true
		e.current.atWrite(r)
	case e.inflight != nil:
		e.inflight.atWrite(r)
	default:
		e.reply(r)
	}
}

// atWrite has a reply leave when the group is written.
func (g *group) atWrite(r Reply) {
	if r.Tag != nil {
		g.written = append(g.written, r)
	}
}
