package engine

// stretch is an element of a deletedSet: a range of sequences all of which are
// deleted or, when it has a bitmap, a window of which the bitmap tells.
type stretch struct {
	first, last uint64
	before      uint64 // deleted sequences in the stretches before this one
	bits        *window
}

// size returns how many sequences of the stretch are deleted.
func (e *stretch) size() uint64 {
	if e.bits != nil {
		return e.bits.count
	}
	return e.last - e.first + 1
}

// stretches is a list of them, ascending and disjoint. They may touch.
type stretches []stretch

// search returns the index of the first stretch that does not end before a
// sequence.
func (l stretches) search(sequence uint64) int {
	low, high := 0, len(l)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if l[middle].last < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// crowded reports whether some window has the beginnings of more than maxRuns
// stretches.
func (l stretches) crowded() bool {
	for i := maxRuns; i < len(l); i++ {
		if l[i].first/windowSize == l[i-maxRuns].first/windowSize {
			return true
		}
	}
	return false
}

// sum returns how many sequences are deleted.
func (l stretches) sum() (n uint64) {
	for i := range l {
		n += l[i].size()
	}
	return n
}

// contains reports whether a sequence is deleted.
func (l stretches) contains(sequence uint64) bool {
	i := l.search(sequence)
	if i == len(l) || sequence < l[i].first {
		return false
	}
	return l[i].bits == nil || l[i].bits.contains(sequence-l[i].first)
}

// liveAfter returns the first sequence at or after one that is not deleted.
func (l stretches) liveAfter(sequence uint64) uint64 {
	for i := l.search(sequence); i < len(l) && l[i].first <= sequence; i++ {
		e := &l[i]
		if e.bits != nil {
			if live := e.bits.nextClear(sequence - e.first); live < windowSize {
				return e.first + live
			}
		}
		sequence = e.last + 1
	}
	return sequence
}

// liveBefore returns the last sequence at or before one that is not deleted.
func (l stretches) liveBefore(sequence uint64) uint64 {
	i := l.search(sequence)
	if i == len(l) {
		return sequence
	}
	for ; i >= 0 && l[i].first <= sequence && sequence <= l[i].last; i-- {
		e := &l[i]
		if e.bits != nil {
			if live, ok := e.bits.lastClear(sequence - e.first); ok {
				return e.first + live
			}
		}
		sequence = e.first - 1
	}
	return sequence
}

// each calls visit for the ranges of deleted sequences within from..to, in order.
// Between two of them there is a sequence that is not deleted.
func (l stretches) each(from, to uint64, visit func(first, last uint64)) {
	var next SequenceRange // Last is 0 while there is none
	join := func(first, last uint64) {
		first, last = max(first, from), min(last, to)
		switch {
		case first > last:
		case next.Last != 0 && next.Last+1 == first:
			next.Last = last
		default:
			if next.Last != 0 {
				visit(next.First, next.Last)
			}
			next = SequenceRange{first, last}
		}
	}
	for i := l.search(from); i < len(l) && l[i].first <= to; i++ {
		l[i].each(from, to, join)
	}
	if next.Last != 0 {
		visit(next.First, next.Last)
	}
}

// each calls visit for the runs of deleted sequences of the stretch that have some of from..to, in order. The first
// one may begin at from.
func (e *stretch) each(from, to uint64, visit func(first, last uint64)) {
	if e.bits == nil {
		visit(e.first, e.last)
		return
	}
	for at := e.bits.nextSet(max(from, e.first) - e.first); at < windowSize && e.first+at <= to; {
		end := e.bits.nextClear(at)
		visit(e.first+at, e.first+end-1)
		at = e.bits.nextSet(end)
	}
}

// runs appends the ranges of deleted sequences, ascending, and those of first..last
// with them, unless last is 0. Ranges that touch are one.
func (l stretches) runs(into []SequenceRange, first, last uint64) []SequenceRange {
	add := func(from, to uint64) {
		if n := len(into); n > 0 && from <= into[n-1].Last+1 {
			into[n-1].Last = max(into[n-1].Last, to)
			return
		}
		into = append(into, SequenceRange{from, to})
	}
	pending := last != 0
	for i := range l {
		if e := &l[i]; e.first >= first && e.last <= last {
			continue // it is swallowed
		}
		l[i].each(0, maxSequence, func(from, to uint64) {
			if pending && from >= first {
				pending = false
				add(first, last)
			}
			add(from, to)
		})
	}
	if pending {
		add(first, last)
	}
	return into
}

// build appends the stretches that hold ascending ranges which do not touch. New
// bitmaps are of an edit.
func build(into []stretch, ranges []SequenceRange, edit uint64) []stretch {
	start := len(into)
	run := func(r SequenceRange) {
		if n := len(into); n > start && into[n-1].bits == nil && into[n-1].last+1 == r.First {
			into[n-1].last = r.Last
			return
		}
		into = append(into, stretch{first: r.First, last: r.Last})
	}
	var parts []SequenceRange // of one window
	var room [maxRuns + 1]SequenceRange
	parts = room[:0]
	flush := func() {
		if len(parts) > maxRuns {
			into = append(into, newWindow(parts, edit))
		} else {
			for _, r := range parts {
				run(r)
			}
		}
		parts = parts[:0]
	}
	for _, r := range ranges {
		for r.First <= r.Last {
			if n := len(parts); n > 0 && parts[n-1].First/windowSize != r.First/windowSize {
				flush()
			}
			end := min(r.Last, r.First|(windowSize-1))
			parts = append(parts, SequenceRange{r.First, end})
			r.First = end + 1
			// Whole windows need no look at each.
			if whole := (r.Last + 1) / windowSize * windowSize; r.First < whole {
				flush()
				run(SequenceRange{r.First, whole - 1})
				r.First = whole
			}
		}
	}
	flush()
	return into
}
