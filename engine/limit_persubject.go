package engine

// perLimited reports whether MaxMsgsPer bounds the messages of a subject.
func (e *Engine) perLimited() bool { return e.cfg.Limits.MaxMsgsPer > 0 }
