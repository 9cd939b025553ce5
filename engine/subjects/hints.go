package subjects

import "bytes"

// hint is some bits of the hash of a subject.
type hint uint16

func hintOf(hash uint32) hint { return hint(hash) }

// hints has the hints of a leaf's subjects by slot, the lower halves and then the upper ones: a search for a byte is the
// fastest there is.
//
// A search by name reads half a dozen names, and the processor has to wait for each before it knows which is the next. A
// search by hint reads one or two cache lines, which are beside what else the look-up needs.
type hints struct{ low, high [leafMax]uint8 }

func (h *hints) at(slot uint8) hint { return hint(h.high[slot])<<8 | hint(h.low[slot]) }

func (h *hints) set(slot uint8, to hint) { h.low[slot], h.high[slot] = uint8(to), uint8(to>>8) }

// next returns the first slot from one on, of n, that has a hint; n if there is none.
func (h *hints) next(from, n int, want hint) int {
	for from < n {
		i := bytes.IndexByte(h.low[from:n], uint8(want))
		if i < 0 {
			return n
		}
		if from += i; h.high[from] == uint8(want>>8) {
			return from
		}
		from++
	}
	return n
}

// slotOf returns the slot of a subject with a hint.
func (l *leaf) slotOf(subject string, h hint) (slot uint8, ok bool) {
	n := l.len()
	for i := l.hints.next(0, n, h); i < n; i = l.hints.next(i+1, n, h) {
		if l.is(uint8(i), subject) {
			return uint8(i), true
		}
	}
	return 0, false
}

// Guess is Get without a look at names: what it returns is of a subject that is in the place of the one it was asked for,
// and has the same hint. That is the same subject, but for one in a thousand of those that are not there. It is for who
// loads the message, and so finds out.
func (t *Tree) Guess(subject string) (Info, bool) {
	l := t.leafFor(bytesOf(subject))
	if l == nil {
		return Info{}, false
	}
	n, h := l.len(), hintOf(t.hash(subject))
	for slot := l.hints.next(0, n, h); slot < n; slot = l.hints.next(slot+1, n, h) {
		if l.entries[slot].count > 0 { // one without messages says nothing of another with its hint
			return t.info(&l.entries[slot]), true
		}
	}
	return Info{}, false
}
