package engine

// What is left of an engine that has panicked is not to be used: nobody knows what it had done. These functions are
// for the shell that goes on to its recovery.

// Refusing returns an engine that has failed with an error, in place of one that has panicked. It knows how far the log
// was written and synced, and nothing else, and refuses everything. The one before it may still have to be released.
func (e *Engine) Refusing(err error) *Engine {
	e.pub.heal()
	r := &Engine{
		cfg: e.cfg, pub: e.pub, generation: e.generation, numbers: noNumbers(), failed: err,
		groups: newGroups(), pending: make(map[WorkID]Work),
	}
	r.durability.written, r.durability.durable = e.durability.written, e.durability.durable
	r.expiry.due, r.expiry.retry, r.durability.due, r.change = never, never, never, noChange
	r.notices.takers = e.notices.takers
	return r
}

// RefuseWith has everything refused with another error from now on. The engine has failed.
func (e *Engine) RefuseWith(err error) {
	if e.failed != nil {
		e.failed = err
	}
}
