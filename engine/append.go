package engine

// add appends a message record to the tail, which has room for it.
func (e *Engine) add(m *Message, sequence uint64, time int64, size int) (subject uint32) {
	e.openFrame(size)
	b := e.tail
	b.memory.slotRoom(b.appended, &e.spareSlots)
	b.codec.AppendMessage(b.memory.free(), sequence, time, m.Subject, m.Header, m.Payload)
	id := e.subjects.Stage(m.Subject, e.current.parity)
	b.appended.add(sequence, time, b.size, size, id)
	b.countFew(id, sequence, size)
	e.appended(size)
	e.stagedStore(id, sequence, size)
	if e.noting() {
		e.noteStored(id, sequence, size)
	}
	ages := true
	if len(m.Header) > 0 {
		e.ids.remember(m, sequence, time)
		ages = e.noteLife(b, m, sequence, time)
	}
	b.remember(sequence, time, uint64(size), e.now, ages)
	if e.maxAge() > 0 {
		e.watchAge(b)
	}

	n := &e.numbers
	if n.counts[countMessages] == 0 {
		n.counts[countFirst], n.firstTime = sequence, time
	}
	n.counts[countMessages]++
	n.counts[countBytes] += uint64(size)
	n.counts[countLast], n.lastTime = sequence, time
	n.counts[countStored]++
	n.counts[countStoredBytes] += uint64(size)
	if e.schedules != nil {
		e.schedules.stored(e, m, sequence, time)
	}
	return id
}

func (e *Engine) appendSkip(last uint64, time int64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendSkip(b.memory.free(), last, time)
	b.proves, b.lastRecord = last, last
	e.appended(e.emptySize)
}

// tombstone writes the record that the message of a sequence is deleted.
func (e *Engine) tombstone(sequence uint64, time int64) {
	e.roomForEmpty()
	e.entombed(Tombstone{sequence, time})
}

// entombed writes a tombstone into the frame that is open.
func (e *Engine) entombed(t Tombstone) {
	b := e.tail
	b.codec.AppendTombstone(b.memory.free(), t.Sequence, t.Time)
	b.proves = max(b.proves, t.Sequence)
	b.tombstones = true
	e.appended(e.emptySize)
}

// writeRemovals writes that all messages below a sequence (0: none) are removed, and those that
// tombstones name, so that a crash leaves all of it or nothing: in one frame, as far as that goes.
func (e *Engine) writeRemovals(first uint64, graves []Tombstone) {
	if first > 0 {
		if e.full((1 + min(len(graves), mostTombstones)) * e.emptySize) {
			e.roll()
		}
		e.writeFloor(first)
	}
	for from := 0; from < len(graves); from += mostTombstones {
		part := graves[from:min(from+mostTombstones, len(graves))]
		if e.full(len(part)*e.emptySize) && (first == 0 || from > 0) {
			e.roll()
		}
		for _, t := range part {
			e.openFrame(e.emptySize)
			e.entombed(t)
		}
	}
}

// mostTombstones is how many tombstones are written to one block at most, whatever its size: they fit in a
// frame with another record.
const mostTombstones = 1 << 20

// writeFloor writes the record that all messages below a sequence are removed.
func (e *Engine) writeFloor(first uint64) {
	e.roomForEmpty()
	b := e.tail
	b.codec.AppendFloor(b.memory.free(), first)
	e.appended(e.emptySize)
	e.floor = floor{first, b.id, e.groupNumber()}
	e.emptied = append(e.emptied, e.tellingOfLost()...)
}

// roomForEmpty makes room in the tail, or in a new one, for a record without subject
// and payload.
func (e *Engine) roomForEmpty() {
	if e.full(e.emptySize) {
		e.roll()
	}
	e.openFrame(e.emptySize)
}
