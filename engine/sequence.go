package engine

// maxSequence is the first sequence that the format cannot hold: its two
// highest bits are flags.
const maxSequence = uint64(1) << 62

// checkSequence refuses a command whose idea of the next sequence is wrong.
func (e *Engine) checkSequence(c *Command, wanted, n uint64) error {
	last := e.last()
	var err error
	switch {
	case wanted != 0 && wanted != last+1:
		err = &SequenceError{"next sequence", wanted, last + 1}
	case c.HasExpectLast && c.ExpectLast != last:
		err = &SequenceError{"expected last sequence", c.ExpectLast, last}
	case n >= maxSequence || last+n >= maxSequence:
		err = &LimitError{"sequence", int64(min(last, maxSequence) + min(n, maxSequence)), int64(maxSequence - 1), ErrTooLarge}
	default:
		return nil
	}
	e.counts[countRefusedSequence]++
	return err
}

// stampNow returns the time for new messages. It does not go back when the
// clock does.
func (e *Engine) stampNow() int64 {
	e.stamp = max(e.stamp, e.now)
	return e.stamp
}
