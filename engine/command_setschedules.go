package engine

// SetSchedules turns schedules on or off. Turned on, those that are in the stream are looked for while it goes on;
// turned off, all are forgotten.
type SetSchedules struct{ On bool }

// Size implements Command.
func (*SetSchedules) Size() (pieces, bytes int) { return 1, 0 }

func (c *SetSchedules) clone() Command { own := *c; return &own }

func (*SetSchedules) subjectAhead() string { return "" }

func (c *SetSchedules) apply(e *Engine, tag any) bool {
	if c.On != (e.schedules != nil) {
		e.cfg.Schedules = c.On
		if e.schedules = newSchedules(&e.cfg); e.schedules != nil {
			e.schedules.scan.begin(e)
		}
	}
	e.replyInOrder(Reply{Tag: tag})
	return true
}
