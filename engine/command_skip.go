package engine

// Skip uses up sequences without messages.
type Skip struct {
	Sequence uint64 // the first of them; 0: the next one
	Count    uint64 // how many
	// Time, if HasTime, becomes the last time of the stream. It is not 0, which the log has for no time.
	Time    int64
	HasTime bool
}

// Size implements Command.
func (*Skip) Size() (pieces, bytes int) { return 1, 0 }

func (c *Skip) clone() Command { own := *c; return &own }

func (*Skip) subjectAhead() string { return "" }

func (c *Skip) apply(e *Engine, tag any) bool {
	if c.Count == 0 {
		e.replyInOrder(Reply{Tag: tag, Sequence: e.last()})
		return true
	}
	if err := e.checkSequence(c.Sequence, Precondition{}, c.Count); err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	last := e.last() + c.Count
	time := c.Time
	if !c.HasTime {
		time = e.skipTime()
	}
	e.skipTo(last, time)
	e.current.reply(Reply{Tag: tag, Sequence: last, Time: time})
	return true
}

// skipTime returns the time of a skip that has none: the last time, which so stays as it is,
// or now when there is none.
func (e *Engine) skipTime() int64 {
	if time := e.lastTime; time != NoTime {
		return time
	}
	return e.now
}

// mostGaps is how many sequences without a message a block may have behind its first one when more are skipped. It is a
// nats-server's number: a server that reads a block keeps an entry for each of them, but none for those between two blocks.
const mostGaps = 1 << 16

// skipTo writes the one record that uses up all sequences up to last.
func (e *Engine) skipTo(last uint64, time int64) {
	if b := e.tail; b != nil && b.firstMsg > 0 && last-b.firstMsg+1-b.msgs > mostGaps {
		e.roll()
	}
	e.appendSkip(last, time)
	b := e.tail
	b.deleted.add(b.last+1, last)
	b.last = last
	e.counts[countLast], e.lastTime = last, time
	if e.counts[countMessages] == 0 {
		e.counts[countFirst] = last + 1
	}
}
