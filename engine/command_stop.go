package engine

// Stop ends the stream. It is answered when everything before it is durable and the
// tail block is sealed. Later commands are refused with ErrStopped.
type Stop struct{}

// Size implements Command.
func (*Stop) Size() (pieces, bytes int) { return 1, 0 }

func (c *Stop) clone() Command { return c }

func (*Stop) subjectAhead() string { return "" }

func (*Stop) apply(e *Engine, tag any) bool {
	e.stopped = true
	e.current.stop, e.current.force = true, true
	e.durability.stop = &Reply{Tag: tag, Sequence: e.last()}
	return true
}
