package engine

// add appends a message record to the tail, which has room for it.
func (e *Engine) add(m *Message, sequence uint64, time int64, size int) {
	e.openFrame(size)
	b := e.tail
	b.memory.slotRoom(b.appended, &e.spareSlots)
	b.codec.AppendMessage(b.memory.free(), sequence, time, m.Subject, m.Header, m.Payload)
	b.appended.add(sequence, time, b.size, size, e.subjects.Stage(m.Subject, e.current.parity))
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

func (e *Engine) appendSkip(last uint64, time int64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendSkip(b.memory.free(), last, time)
	b.proves = last
	e.appended(e.emptySize)
}

// tombstone writes the record that the message of a sequence is deleted.
func (e *Engine) tombstone(sequence uint64, time int64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendTombstone(b.memory.free(), sequence, time)
	b.proves = max(b.proves, sequence)
	e.appended(e.emptySize)
}

// roomForEmpty makes room in the tail, or in a new one, for a record without subject
// and payload.
func (e *Engine) roomForEmpty() {
	if e.full(e.emptySize) {
		e.roll()
	}
	e.openFrame(e.emptySize)
}
