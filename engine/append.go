package engine

// store appends one message. It reports false when it needs a table first.
func (e *Engine) store(c *Command) bool {
	size := e.cfg.Codec.Size(len(c.Subject), len(c.Header), len(c.Payload))
	if err := e.admit(c, &c.Message, size); err != nil {
		e.replyInOrder(Reply{Tag: c.Tag, Err: err})
		return true
	}
	if !e.tablesReady(1, uint64(size)) {
		return false
	}
	time := c.Time
	if c.Kind == CommandStore {
		time = e.stampNow()
	}
	if b := e.tail; b == nil || b.size > 0 && b.size+int64(size) > e.cfg.BlockSize {
		e.roll()
	}
	sequence := e.last() + 1
	e.add(&c.Message, sequence, time, size)
	e.enforce()
	e.current.reply(Reply{Tag: c.Tag, Sequence: sequence, Count: 1, Time: time})
	return true
}

// storeBatch appends all messages of a batch in one frame of one block.
func (e *Engine) storeBatch(c *Command) bool {
	total, err := e.admitBatch(c)
	if err != nil {
		e.replyInOrder(Reply{Tag: c.Tag, Err: err})
		return true
	}
	if !e.tablesReady(uint64(len(c.Batch)), uint64(total)) {
		return false
	}
	time := e.stampNow()
	if b := e.tail; b == nil || b.size > 0 && b.size+int64(total)+emptyRecord > e.cfg.BlockSize {
		e.roll()
	}
	for i := range c.Batch {
		m := &c.Batch[i]
		e.add(m, e.last()+1, time, e.cfg.Codec.Size(len(m.Subject), len(m.Header), len(m.Payload)))
	}
	e.enforce()
	e.current.reply(Reply{Tag: c.Tag, Sequence: e.last(), Count: len(c.Batch), Time: time})
	return true
}

// admit decides whether a message may enter. A refusal changes nothing.
func (e *Engine) admit(c *Command, m *Message, size int) error {
	if c.Kind == CommandStore || c.CheckDiscardNew {
		if err := e.roomFor(1, int64(size)); err != nil {
			return err
		}
	}
	if err := e.checkSize(m); err != nil {
		return err
	}
	wanted := c.Sequence
	if c.Kind == CommandStore {
		wanted = 0
	}
	return e.checkSequence(c, wanted, 1)
}

func (e *Engine) admitBatch(c *Command) (total int, err error) {
	if len(c.Batch) == 0 {
		return 0, ErrEmptyBatch
	}
	for i := range c.Batch {
		m := &c.Batch[i]
		total += e.cfg.Codec.Size(len(m.Subject), len(m.Header), len(m.Payload))
	}
	if err := e.roomFor(int64(len(c.Batch)), int64(total)); err != nil {
		return 0, err
	}
	for i := range c.Batch {
		if err := e.checkSize(&c.Batch[i]); err != nil {
			return 0, err
		}
	}
	if total > MaxBatchBytes {
		e.counts[countRefusedSize]++
		return 0, &LimitError{"bytes of a batch", int64(total), MaxBatchBytes, ErrTooLarge}
	}
	return total, e.checkSequence(c, 0, uint64(len(c.Batch)))
}

// roomFor applies the limits of a stream that discards new messages.
func (e *Engine) roomFor(n, bytes int64) error {
	l := &e.cfg.Limits
	if l.Discard != DiscardNew {
		return nil
	}
	if msgs := int64(e.counts[countMessages]) + n; l.MaxMsgs > 0 && msgs > l.MaxMsgs {
		e.counts[countRefusedMsgs]++
		return &LimitError{"messages", msgs, l.MaxMsgs, ErrMaxMsgs}
	}
	if bytes += int64(e.counts[countBytes]); l.MaxBytes > 0 && bytes > l.MaxBytes {
		e.counts[countRefusedBytes]++
		return &LimitError{"bytes", bytes, l.MaxBytes, ErrMaxBytes}
	}
	return nil
}

func (e *Engine) checkSize(m *Message) error {
	if n := len(m.Header) + len(m.Payload); e.cfg.Limits.MaxMsgSize > 0 && n > e.cfg.Limits.MaxMsgSize {
		e.counts[countRefusedSize]++
		return &LimitError{"bytes of header and payload", int64(n), int64(e.cfg.Limits.MaxMsgSize), ErrTooLarge}
	}
	if err := e.cfg.Codec.Check(len(m.Subject), len(m.Header), len(m.Payload)); err != nil {
		e.counts[countRefusedSize]++
		return err
	}
	return nil
}

// add appends a message record to the tail, which has room for it.
func (e *Engine) add(m *Message, sequence uint64, time int64, size int) {
	e.openFrame(size)
	b := e.tail
	b.memory.slotRoom(b.live, &e.spareSlots)
	b.codec.AppendMessage(b.memory.free(), sequence, time, m.Subject, m.Header, m.Payload)
	b.live.add(sequence, time, b.size, size, e.index.Stage(m.Subject, e.current.parity))
	b.memory.frame.slots++
	e.appended(size)
	b.remember(sequence, time, uint64(size))

	n := &e.numbers
	if n.counts[countMessages] == 0 {
		n.counts[countFirst], n.firstTime = sequence, time
		e.armExpiry()
	}
	n.counts[countMessages]++
	n.counts[countBytes] += uint64(size)
	n.counts[countLast], n.lastTime = sequence, time
	n.counts[countStored]++
}

// skip uses up sequences without messages.
func (e *Engine) skip(c *Command) {
	if c.Count == 0 {
		e.replyInOrder(Reply{Tag: c.Tag, Sequence: e.last()})
		return
	}
	if err := e.checkSequence(c, c.Sequence, c.Count); err != nil {
		e.replyInOrder(Reply{Tag: c.Tag, Err: err})
		return
	}
	last := e.last() + c.Count
	time := e.skipTime()
	e.skipTo(last, time)
	e.current.reply(Reply{Tag: c.Tag, Sequence: last, Time: time})
}

// skipTime returns the time of a skip: the last time, which so stays as it is,
// or now when there is none.
func (e *Engine) skipTime() int64 {
	if time := e.lastTime; time != NoTime {
		return time
	}
	return e.now
}

// skipTo writes the one record that uses up all sequences up to last.
func (e *Engine) skipTo(last uint64, time int64) {
	e.appendSkip(last, time)
	b := e.tail
	b.deleted.add(b.last+1, last)
	b.last = last
	e.counts[countLast], e.lastTime = last, time
	if e.counts[countMessages] == 0 {
		e.counts[countFirst] = last + 1
	}
}

func (e *Engine) appendSkip(last uint64, time int64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendSkip(b.memory.free(), last, time)
	b.proves = last
	e.appended(emptyRecord)
}

// tombstone writes that a sequence is gone.
func (e *Engine) tombstone(sequence uint64, time int64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendTombstone(b.memory.free(), sequence, time)
	b.proves = max(b.proves, sequence)
	e.appended(emptyRecord)
}

// roomForEmpty makes room in the tail for a record without subject and payload.
func (e *Engine) roomForEmpty() {
	if b := e.tail; b == nil || b.size > 0 && b.size+emptyRecord > e.cfg.BlockSize {
		e.roll()
	}
	e.openFrame(emptyRecord)
}
