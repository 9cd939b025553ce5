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
	size := e.recordSize(&c.Message)
	if err := c.admit(e, size); err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if !e.tablesReady(1, uint64(size)) {
		return false
	}
	e.storeOne(tag, &c.Message, e.stampNow(), size)
	return true
}

// admit decides whether the message may enter. A refusal changes nothing.
func (c *Store) admit(e *Engine, size int) error {
	if err := e.roomFor(1, int64(size)); err != nil {
		return err
	}
	if err := e.checkSize(&c.Message); err != nil {
		return err
	}
	return e.checkSequence(0, c.Precondition, 1)
}

// storeOne appends a message that was admitted, and answers its command.
func (e *Engine) storeOne(tag any, m *Message, time int64, size int) {
	if e.full(size) {
		e.roll()
	}
	sequence := e.last() + 1
	e.add(m, sequence, time, size)
	e.enforce()
	e.current.reply(Reply{Tag: tag, Sequence: sequence, Count: 1, Time: time})
}
