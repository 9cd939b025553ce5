package engine

// StoreRaw appends one message with a sequence and a time of its own, as a replica or
// a migration does.
type StoreRaw struct {
	Message
	Sequence uint64 // 0: the next one
	Time     int64
	// StampNow has the message get the time that a Store would get, in place of Time.
	StampNow bool
	// CheckDiscardNew applies the limits of DiscardNew. Replicas leave it false, so
	// that they never refuse what the leader accepted.
	CheckDiscardNew bool
}

// Size implements Command.
func (c *StoreRaw) Size() (pieces, bytes int) { return 1, c.size() }

func (c *StoreRaw) clone() Command {
	own := *c
	own.Message = c.Message.clone()
	return &own
}

func (c *StoreRaw) subjectAhead() string { return c.Subject }

func (c *StoreRaw) apply(e *Engine, tag any) bool {
	if !e.zoneReady(&c.Message) {
		return false
	}
	size := e.recordSize(&c.Message)
	before, ready, err := e.perReady(c.Subject, 1)
	if !ready {
		return e.refuseUnreadable(tag, err)
	}
	if err := c.admit(e, size, before); err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if !e.tablesReady(1, uint64(size)) {
		return false
	}
	time := c.Time
	if c.StampNow {
		time = e.stampNow()
	}
	e.storeOne(tag, &c.Message, time, size, before)
	return true
}

// admit decides whether the message may enter. A refusal changes nothing.
func (c *StoreRaw) admit(e *Engine, size int, before subjectNow) error {
	if c.CheckDiscardNew {
		if err := e.roomForOne(int64(size), before, false); err != nil {
			return err
		}
		if err := e.checkHoldable(int64(size)); err != nil {
			return err
		}
	}
	if err := e.checkSize(&c.Message); err != nil {
		return err
	}
	return e.checkSequence(c.Sequence, Precondition{}, 1)
}
