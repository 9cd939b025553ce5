package engine

// ResetState forgets what is of this opening alone, and changes no data: schedules that could not fire, and wait for
// their next attempt, are due again at once. The reply has the last sequence.
type ResetState struct{}

// Size implements Command.
func (*ResetState) Size() (pieces, bytes int) { return 1, 0 }

func (c *ResetState) clone() Command { return c }

func (*ResetState) subjectAhead() string { return "" }

func (*ResetState) apply(e *Engine, tag any) bool {
	if e.schedules != nil {
		e.schedules.retryNow()
	}
	e.replyInOrder(Reply{Tag: tag, Sequence: e.last()})
	return true
}

// retryNow has all schedules be due when they were, that wait for their next attempt to fire.
func (x *schedules) retryNow() {
	for _, s := range x.bySequence {
		if s.failed > 0 {
			x.leave(s)
			s.failed = 0
			x.wait(s, s.due)
		}
	}
}
