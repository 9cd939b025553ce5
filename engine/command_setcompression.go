package engine

// SetCompression turns the compression of sealed blocks on or off. On, all that are not compressed yet are written
// anew, one after the other; off, none is decompressed, but those that are compacted. The reply has the last sequence.
type SetCompression struct{ On bool }

// Size implements Command.
func (*SetCompression) Size() (pieces, bytes int) { return 1, 0 }

func (c *SetCompression) clone() Command { own := *c; return &own }

func (*SetCompression) subjectAhead() string { return "" }

func (c *SetCompression) apply(e *Engine, tag any) bool {
	if c.On != e.cfg.Compress {
		e.cfg.Compress = c.On
		for _, b := range e.blocks {
			b.incompressible = false
			e.compacting.consider(e, b)
		}
	}
	e.replyInOrder(Reply{Tag: tag, Sequence: e.last()})
	return true
}
