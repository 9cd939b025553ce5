package engine

// catchUp applies limits that could not be applied when they were reached.
func (e *Engine) catchUp() {
	if e.tablesReady(0, 0) {
		e.enforce()
	}
}

// enforce applies MaxMsgs and MaxBytes from the head of the stream.
func (e *Engine) enforce() {
	l := &e.cfg.Limits
	if l.Discard != DiscardOld {
		return
	}
	n := &e.numbers
	first := n.counts[countFirst]
	for l.MaxMsgs > 0 && int64(n.counts[countMessages]) > l.MaxMsgs {
		over := n.counts[countMessages] - uint64(l.MaxMsgs)
		if !e.removeHead(countRemovedMsgs, func(b *block) bool { return b.msgs <= over }) {
			break
		}
	}
	for l.MaxBytes > 0 && int64(n.counts[countBytes]) > l.MaxBytes {
		over := n.counts[countBytes] - uint64(l.MaxBytes)
		if !e.removeHead(countRemovedBytes, func(b *block) bool { return b.bytes <= over }) {
			break
		}
	}
	if n.counts[countFirst] != first {
		if e.change.thins {
			// MaxMsgsPer is applied first when the stream is opened, and the other limits would leave more.
			e.protectHead()
		}
	}
}
