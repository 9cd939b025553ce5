package wheel

import "slices"

const (
	// most is how many entries a slot may hold before it gets a ring.
	most = 256
	// few is how many entries a ring may be left with before it becomes a slot again. It
	// is so far below most that a slot does not burst again at once.
	few = most / 2
)

// slot holds entries in order, or, when ring is set, a ring of finer slots.
type slot struct {
	entries []entry
	ring    *ring
}

// add adds an entry, or reports false when it is there.
func (s *slot) add(e entry) bool {
	var path [digitCount]*ring
	depth := 0
	for {
		if s.ring == nil {
			if len(s.entries) < most {
				break
			}
			if _, found := s.search(e); found {
				return false
			}
			s.burst()
		}
		r := s.ring
		if d := differ(r.like, e); d < r.digit {
			r = r.above(d)
			s.ring = r
		}
		path[depth] = r
		depth++
		s = r.slot(e.digit(r.digit))
	}
	if !s.insert(e) {
		return false
	}
	for _, r := range path[:depth] {
		r.n++
	}
	return true
}

// search returns where in the slot's own entries one is, or where it would have to be.
func (s *slot) search(e entry) (i int, found bool) {
	own := s.entries
	if n := len(own); n == 0 || own[n-1].before(e) {
		return n, false // the usual case: later than all that are here
	}
	low, high := 0, len(own)-1 // what is at high is not before e
	for low < high {
		if middle := int(uint(low+high) / 2); own[middle].before(e) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, own[low] == e
}

// insert puts an entry among the slot's own, or reports false when it is there.
func (s *slot) insert(e entry) bool {
	i, found := s.search(e)
	if found {
		return false
	}
	if n := len(s.entries); n == cap(s.entries) {
		s.resize(min(n+n/2+2, most))
	}
	s.entries = append(s.entries, entry{})
	copy(s.entries[i+1:], s.entries[i:])
	s.entries[i] = e
	return true
}

// resize moves the slot's own entries into memory for so many.
func (s *slot) resize(n int) {
	s.entries = append(make([]entry, 0, n), s.entries...)
}

// fit gives up memory when more than half of it is unused.
func (s *slot) fit() {
	switch n := len(s.entries); {
	case n == 0:
		s.entries = nil
	case 2*n < cap(s.entries):
		s.resize(n + n/4)
	}
}

// burst turns the slot's own entries into a ring.
func (s *slot) burst() {
	own := s.entries
	like := own[0]
	r := &ring{like: like, digit: differ(like, own[len(own)-1]), n: len(own)}
	for len(own) > 0 {
		digit, n := own[0].digit(r.digit), 1
		for n < len(own) && own[n].digit(r.digit) == digit {
			n++
		}
		r.slot(digit).entries = append(make([]entry, 0, n+n/4), own[:n]...)
		own = own[n:]
	}
	s.entries, s.ring = nil, r
}

// first returns the first entry of a slot that holds some.
func (s *slot) first() entry {
	for s.ring != nil {
		s = &s.ring.slots[0]
	}
	return s.entries[0]
}

// remove removes an entry, or reports false when it is not there.
func (s *slot) remove(e entry) bool {
	var path [digitCount]*slot
	depth := 0
	for s.ring != nil {
		r := s.ring
		if differ(r.like, e) < r.digit || !r.has(e.digit(r.digit)) {
			return false
		}
		path[depth] = s
		depth++
		s = r.slot(e.digit(r.digit))
	}
	i, found := s.search(e)
	if !found {
		return false
	}
	s.entries = slices.Delete(s.entries, i, i+1)
	s.fit()
	for depth--; depth >= 0; depth-- {
		s := path[depth]
		s.ring.n--
		s.ring.dropEmpty(e.digit(s.ring.digit))
		s.simplify()
	}
	return true
}

// expire visits what is due and removes it, up to where visit returns false. It returns
// how many it removed, and whether everything in the slot was.
func (s *slot) expire(now int64, visit func(uint64, int64) bool) (n int, all bool) {
	r := s.ring
	if r == nil {
		for n < len(s.entries) && s.entries[n].due <= now && visit(s.entries[n].sequence, s.entries[n].due) {
			n++
		}
		s.entries = slices.Delete(s.entries, 0, n)
		s.fit()
		return n, len(s.entries) == 0
	}
	emptied := 0
	for emptied < len(r.slots) {
		removed, all := r.slots[emptied].expire(now, visit)
		n += removed
		if !all {
			break
		}
		emptied++
	}
	r.dropFirst(emptied)
	r.n -= n
	s.simplify()
	return n, r.n == 0
}

// removeRange removes the entries of the sequences from first to last, and returns how
// many they were.
func (s *slot) removeRange(first, last uint64) int {
	r := s.ring
	if r == nil {
		n := len(s.entries)
		s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return first <= e.sequence && e.sequence <= last })
		n -= len(s.entries)
		s.fit()
		return n
	}
	n := 0
	for digit := range digitMask + 1 {
		if r.has(digit) {
			n += r.slot(digit).removeRange(first, last)
			r.dropEmpty(digit)
		}
	}
	r.n -= n
	s.simplify()
	return n
}

// simplify takes the slot's ring away when it holds few entries, or has one slot only.
func (s *slot) simplify() {
	switch r := s.ring; {
	case r.n <= few:
		all := make([]entry, 0, r.n+r.n/4)
		s.entries, s.ring = s.gather(all), nil
	case len(r.slots) == 1:
		*s = r.slots[0]
	}
}

// gather appends all entries of the slot, in order.
func (s *slot) gather(all []entry) []entry {
	if s.ring == nil {
		return append(all, s.entries...)
	}
	for i := range s.ring.slots {
		all = s.ring.slots[i].gather(all)
	}
	return all
}
