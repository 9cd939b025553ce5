package engine

// StoreBatch appends all of its messages or none of them, also across a crash. They
// are in one frame of one block.
type StoreBatch struct {
	Messages []Message
	Precondition
}

// Size implements Command.
func (c *StoreBatch) Size() (pieces, bytes int) {
	for i := range c.Messages {
		bytes += c.Messages[i].size()
	}
	return 1 + len(c.Messages), bytes
}

func (c *StoreBatch) clone() Command {
	own := &StoreBatch{make([]Message, len(c.Messages)), c.Precondition}
	for i := range c.Messages {
		own.Messages[i] = c.Messages[i].clone()
	}
	return own
}

func (*StoreBatch) subjectAhead() string { return "" }

func (c *StoreBatch) apply(e *Engine, tag any) bool {
	total, err := c.admit(e)
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if !e.tablesReady(uint64(len(c.Messages)), uint64(total)) {
		return false
	}
	time := e.stampNow()
	if e.full(total) {
		e.roll()
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		e.add(m, e.last()+1, time, e.recordSize(m))
	}
	e.enforce()
	e.current.reply(Reply{Tag: tag, Sequence: e.last(), Count: len(c.Messages), Time: time})
	return true
}

// admit decides whether the batch may enter, and returns the bytes of its records. A
// refusal changes nothing.
func (c *StoreBatch) admit(e *Engine) (total int, err error) {
	if len(c.Messages) == 0 {
		return 0, ErrEmptyBatch
	}
	for i := range c.Messages {
		total += e.recordSize(&c.Messages[i])
	}
	if err := e.roomFor(int64(len(c.Messages)), int64(total)); err != nil {
		return 0, err
	}
	for i := range c.Messages {
		if err := e.checkSize(&c.Messages[i]); err != nil {
			return 0, err
		}
	}
	if total > MaxBatchBytes {
		e.counts[countRefusedSize]++
		return 0, &LimitError{"bytes of a batch", int64(total), MaxBatchBytes, ErrTooLarge}
	}
	return total, e.checkSequence(0, c.Precondition, uint64(len(c.Messages)))
}
