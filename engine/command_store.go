package engine

// Store appends one message with the next sequence and the time of the turn.
type Store struct {
	Message
	Precondition
}

// Size implements Command.
func (c *Store) Size() (pieces, bytes int) { return 1, c.size() }

func (c *Store) clone() Command { return &Store{c.Message.clone(), c.Precondition} }

func (c *Store) subjectAhead() string { return c.Subject }

func (c *Store) apply(e *Engine, tag any) bool {
	m := &c.Message
	plain := m.plain()
	if !plain {
		if e.answerDuplicate(tag, m) {
			return true
		}
		if !e.zoneReady(m) {
			return false
		}
	}
	size := e.recordSize(m)
	var before subjectNow
	if e.perLimited() {
		now, ready, err := e.perReady(m.Subject, 1)
		if !ready {
			return e.refuseUnreadable(tag, err)
		}
		before = now
	}
	var asks asked
	var err error
	if !plain {
		asks, err = e.asksFor(m)
	}
	if err == nil {
		err = c.admit(e, size, before, asks.rollup != RollupNone)
	}
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if !plain {
		if ready, err := e.checkExpectedOfOne(m); !ready || err != nil {
			return e.refuseUnreadable(tag, err)
		}
	}
	if !e.tablesReady(1, uint64(size)) {
		return false
	}
	if asks != (asked{}) {
		return c.replace(e, tag, size, asks)
	}
	e.storeOne(tag, m, e.stampNow(), size, before)
	return true
}

// asked is what a message asks for with its header.
type asked struct {
	rollup Rollup // what it takes the place of
	ends   string // the subject of the schedule that it ends, "" when it ends none
}

// asksFor reads the header of a message, or refuses it.
func (e *Engine) asksFor(m *Message) (a asked, err error) {
	if a.rollup, err = e.rollupOf(m); err != nil {
		return asked{}, err
	}
	if a.ends, err = e.admitSchedule(m); err != nil {
		return asked{}, err
	}
	return a, e.checkLife(m)
}

// replace stores a message that takes the place of others.
func (c *Store) replace(e *Engine, tag any, size int, asks asked) bool {
	r, ready, err := e.prepareRollup(asks.rollup, &c.Message)
	if ready && asks.ends != "" {
		ready, err = e.prepareEnd(asks.ends, &r)
	}
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	e.storeRollup(tag, &c.Message, e.stampNow(), size, &r)
	return true
}

// admit decides whether the message may enter, whose subject has so much. A refusal changes nothing.
func (c *Store) admit(e *Engine, size int, before subjectNow, rollsUp bool) error {
	if e.cfg.Limits.Discard == DiscardNew {
		if err := e.roomForOne(int64(size), before, rollsUp); err != nil {
			return err
		}
	}
	if e.cfg.Limits.MaxBytes > 0 {
		if err := e.checkHoldable(int64(size)); err != nil {
			return err
		}
	}
	if err := e.checkSize(&c.Message); err != nil {
		return err
	}
	return e.checkSequence(0, c.Precondition, 1)
}

// storeOne appends a message that was admitted, and answers its command.
func (e *Engine) storeOne(tag any, m *Message, time int64, size int, before subjectNow) {
	per := e.perLimited()
	if per {
		e.beforePer()
	}
	if e.full(size) {
		e.roll()
	}
	sequence := e.last() + 1
	id := e.add(m, sequence, time, size)
	if per {
		e.enforcePer(id, before, sequence, size)
	}
	e.enforce()
	if e.noting() {
		e.noteOrder(sequence)
	}
	e.current.reply(Reply{Tag: tag, Sequence: sequence, Count: 1, Time: time})
}
