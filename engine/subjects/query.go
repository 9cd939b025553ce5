package subjects

import "github.com/seed-d8b58eba/millrace/internal/subject"

// Walk visits every live subject that a set matches, each once, until visit returns
// false. Those of one pattern come in byte order. The name is borrowed: it is valid
// until visit returns.
func (t *Tree) Walk(set *subject.Set, visit func(name []byte, info Info) bool) {
	var name []byte
	t.each(set, func(l *leaf, slots []uint8) bool {
		name = append(name[:0], l.lead()...)
		for _, slot := range slots {
			e := &l.entries[slot]
			if e.count == 0 {
				continue
			}
			name = append(name[:l.prefix], l.rest(slot)...)
			if !visit(name, t.info(e)) {
				return false
			}
		}
		return true
	})
}

// Total returns how many live subjects a set matches, and how many messages they have.
func (t *Tree) Total(set *subject.Set) (subjects, messages uint64) {
	if set.All() {
		return uint64(t.live), t.messages
	}
	t.each(set, func(l *leaf, slots []uint8) bool {
		if len(slots) == l.len() {
			subjects += uint64(l.len() - int(l.zombies))
			messages += l.sum
			return true
		}
		for _, slot := range slots {
			if e := &l.entries[slot]; e.count > 0 {
				subjects++
				messages += countOf(e, t.over)
			}
		}
		return true
	})
	return subjects, messages
}

// Pending returns how many messages at or after a sequence the subjects have that a
// set matches, and how many of these subjects have their last message there. partial
// says that there are subjects with messages on both sides of it, or that may have:
// then their messages are missing from the sum.
func (t *Tree) Pending(set *subject.Set, from uint64) (messages, subjects uint64, partial bool) {
	t.each(set, func(l *leaf, slots []uint8) bool {
		for _, slot := range slots {
			e := &l.entries[slot&(leafMax-1)]
			if e.last() < from || e.count == 0 {
				continue
			}
			subjects++
			if e.first() >= from {
				messages += countOf(e, t.over)
			} else {
				partial = true
			}
		}
		return true
	})
	return messages, subjects, partial
}

// Lasts appends the sequences of the last messages of the subjects that a set matches.
func (t *Tree) Lasts(set *subject.Set, into []uint64) []uint64 {
	t.each(set, func(l *leaf, slots []uint8) bool {
		for _, slot := range slots {
			if e := &l.entries[slot]; e.count > 0 {
				into = append(into, e.last())
			}
		}
		return true
	})
	return into
}
