package engine

// Flush is answered when everything before it is durable, whatever the sync level.
type Flush struct{}

// Size implements Command.
func (*Flush) Size() (pieces, bytes int) { return 1, 0 }

func (c *Flush) clone() Command { return c }

func (*Flush) subjectAhead() string { return "" }

func (*Flush) apply(e *Engine, tag any) bool {
	d := &e.durability
	r := Reply{Tag: tag, Sequence: e.last()}
	switch {
	case e.cfg.Level == SyncAlways:
		e.replyInOrder(r)
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
