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
	if e.answerDuplicate(tag, &c.Message) {
		return true
	}
	if !e.zoneReady(&c.Message) {
		return false
	}
	size := e.recordSize(&c.Message)
	before, ready, err := e.perReady(c.Subject, 1)
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	kind, err := e.rollupOf(&c.Message)
	ends := ""
	if err == nil {
		ends, err = e.admitSchedule(&c.Message)
	}
	if err == nil {
		err = e.checkLife(&c.Message)
	}
	if err == nil {
		err = c.admit(e, size, before, kind != RollupNone)
	}
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if ready, err := e.checkExpectedOfOne(&c.Message); !ready || err != nil {
		return e.refuseUnreadable(tag, err)
	}
	if !e.tablesReady(1, uint64(size)) {
		return false
	}
	if kind == RollupNone && ends == "" {
		e.storeOne(tag, &c.Message, e.stampNow(), size, before)
		return true
	}
	r, ready, err := e.prepareRollup(kind, &c.Message)
	if ready && ends != "" {
		ready, err = e.prepareEnd(ends, &r)
	}
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	e.storeRollup(tag, &c.Message, e.stampNow(), size, &r)
	return true
}

// admit decides whether the message may enter, whose subject has so much. A refusal changes nothing.
func (c *Store) admit(e *Engine, size int, before subjectNow, rollsUp bool) error {
	if err := e.roomForOne(int64(size), before, rollsUp); err != nil {
		return err
	}
	if err := e.checkHoldable(int64(size)); err != nil {
		return err
	}
	if err := e.checkSize(&c.Message); err != nil {
		return err
	}
	return e.checkSequence(0, c.Precondition, 1)
}

// storeOne appends a message that was admitted, and answers its command.
func (e *Engine) storeOne(tag any, m *Message, time int64, size int, before subjectNow) {
	e.beforePer()
	if e.full(size) {
		e.roll()
	}
	sequence := e.last() + 1
	id := e.add(m, sequence, time, size)
	e.enforcePer(id, before, sequence, size)
	e.enforce()
	e.noteOrder(sequence)
	e.current.reply(Reply{Tag: tag, Sequence: sequence, Count: 1, Time: time})
}
