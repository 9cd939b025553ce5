package engine

// SetPublishing changes what the headers of messages mean, for all commands behind it. Ids that are remembered
// stay so, within the new bounds; of messages that were stored while none were, ids are known from the next
// opening on. The reply has the last sequence.
type SetPublishing struct {
	RollupHeaders bool
	Duplicates    IDLimits
}

// Size implements Command.
func (*SetPublishing) Size() (pieces, bytes int) { return 1, 0 }

func (c *SetPublishing) clone() Command { own := *c; return &own }

func (*SetPublishing) subjectAhead() string { return "" }

func (c *SetPublishing) apply(e *Engine, tag any) bool {
	e.cfg.RollupHeaders, e.cfg.Duplicates = c.RollupHeaders, c.Duplicates
	next := newIDWindow(&e.cfg)
	if next.on() && e.ids.on() {
		e.ids.SetLimits(c.Duplicates)
	} else {
		e.ids = next
		e.ids.advance(e.now)
	}
	e.replyInOrder(Reply{Tag: tag, Sequence: e.last()})
	return true
}
