package subjects

import (
	"math/bits"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Walk visits every live subject that a set matches, each once, until visit returns
// false. Those of one pattern come in byte order. The name is borrowed: it is valid
// until visit returns.
func (t *Tree) Walk(set *subject.Set, visit func(name []byte, info Info) bool) {
	var name []byte
	t.each(set, visitor{some: func(l *leaf, slots []uint8) bool {
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
	}}.leafByLeaf())
}

// leafByLeaf adds to a visitor of slots that of whole leaves.
func (v visitor) leafByLeaf() visitor {
	v.whole = func(leaves []*leaf) bool {
		for _, l := range leaves {
			if !v.some(l, l.slots()) {
				return false
			}
		}
		return true
	}
	return v
}

// Total returns how many live subjects a set matches, and how many messages they have.
func (t *Tree) Total(set *subject.Set) (subjects, messages uint64) {
	if set.All() {
		return uint64(t.live), t.messages
	}
	t.each(set, visitor{
		whole: func(leaves []*leaf) bool {
			for _, l := range leaves {
				subjects += uint64(l.len() - int(l.zombies))
				messages += l.sum
			}
			return true
		},
		some: func(l *leaf, slots []uint8) bool {
			for _, slot := range slots {
				if e := &l.entries[slot]; e.count > 0 {
					subjects++
					messages += countOf(e, t.over)
				}
			}
			return true
		},
	})
	return subjects, messages
}

// Pending looks at the subjects that a set matches, and returns how many messages they
// have at or after a sequence, and how many of them have their last message there.
// partial is true if there are subjects that have messages on both sides of the
// sequence, or may have: their messages are missing from the sum.
func (t *Tree) Pending(set *subject.Set, from uint64) (messages, subjects uint64, partial bool) {
	some := func(l *leaf, slots []uint8) bool {
		for _, slot := range slots {
			e := &l.entries[slot]
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
	}
	whole := func(leaves []*leaf) bool {
		for i, l := range leaves {
			if i%leavesAtOnce == 0 {
				fetchEntries(leaves[i:min(i+leavesAtOnce, len(leaves))])
			}
			if m, n, part, ok := l.pending(from); ok {
				messages, subjects, partial = messages+m, subjects+n, partial || part
			} else {
				some(l, l.slots())
			}
		}
		return true
	}
	t.each(set, visitor{whole, some})
	return messages, subjects, partial
}

// pending is Tree.Pending for all entries of a leaf. It does not branch on whether an
// entry reaches the sequence, which the processor could not predict. It gives up, and
// returns false, where an entry does not tell its count or its ends by itself.
func (l *leaf) pending(from uint64) (messages, subjects uint64, partial, ok bool) {
	if l.zombies > 0 {
		return 0, 0, false, false
	}
	var wholes uint64
	for i := range l.entries {
		e := &l.entries[i]
		last := e.last()
		if e.count == many || e.span == farApart {
			return 0, 0, false, false
		}
		whole := atLeast(last-uint64(e.span), from)
		messages += uint64(e.count) & -whole
		wholes += whole
		subjects += atLeast(last, from)
	}
	return messages, subjects, wholes != subjects, true
}

// atLeast returns 1 if a is at least b, and else 0.
func atLeast(a, b uint64) uint64 {
	_, less := bits.Sub64(a, b, 0)
	return 1 - less
}

// More reports whether the live subjects that a set matches have more than so many messages. It looks at no more of
// them than it takes to say so.
func (t *Tree) More(set *subject.Set, than uint64) bool {
	if set.All() {
		return t.messages > than
	}
	var messages uint64
	t.each(set, visitor{some: func(l *leaf, slots []uint8) bool {
		for _, slot := range slots {
			messages += countOf(&l.entries[slot], t.over)
		}
		return messages <= than
	}}.leafByLeaf())
	return messages > than
}
