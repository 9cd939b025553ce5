package engine

import "time"

// SetSync changes what replies promise. Everything before it keeps what it was promised, and more: it is durable before
// another level takes its place, so that no reply at SyncAlways stands on records that a loss of power takes. Commands
// behind it wait for that sync. The reply, with the last sequence, comes when the new level is in force.
type SetSync struct {
	Level SyncLevel
	Every time.Duration // see Config.SyncEvery
}

// Size implements Command.
func (*SetSync) Size() (pieces, bytes int) { return 1, 0 }

func (c *SetSync) clone() Command { own := *c; return &own }

func (*SetSync) subjectAhead() string { return "" }

func (c *SetSync) apply(e *Engine, tag any) bool {
	d := &e.durability
	r := Reply{Tag: tag, Sequence: e.last()}
	if c.Level == e.cfg.Level {
		if e.cfg.SyncEvery = c.Every; d.due != never {
			d.due = min(d.due, e.steady+int64(c.Every))
		}
		e.replyInOrder(r)
		return true
	}
	if !e.settledAll() {
		return false
	}
	e.cfg.Level, e.cfg.SyncEvery, d.due = c.Level, c.Every, never
	if tag != nil { // it leaves when readers are shown that all is durable
		d.waiting = append(d.waiting, waitingReply{d.durable.group, r})
	}
	return true
}

// settledAll reports whether everything is durable that was staged. If it is not, it has seen to it that it will be:
// the command that asks is tried again with each group and each piece of maintenance work that is done.
func (e *Engine) settledAll() bool {
	d := &e.durability
	switch {
	case e.current.staged() || len(e.current.replies) > 0:
		e.current.force = true
	case e.inflight != nil:
	case d.synced.group != d.written.group:
		e.current.force = true
	default:
		return d.durable.group == d.written.group // or a block that is full is still to be sealed
	}
	return false
}
