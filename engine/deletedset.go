package engine

import "slices"

// deletedSet is the sequences of a block that have no message: what skips used up,
// what damage took, and what was removed. The engine adds ranges to it in any
// order; readers look at snapshots, which never change.
//
// It is a list of stretches. Where deletions are few, or long, a stretch is a run:
// all sequences of a range. Where a window of 4,096 sequences holds more than
// maxRuns runs, one stretch stands for the whole window and has a bitmap. A
// snapshot shares with the set what has not changed since: a change copies the list
// of stretches, which is short, and the one bitmap that it touches, both once a
// snapshot. A range behind all others, which is all that storing messages adds, is
// appended to the list, and copies nothing.
//
// Sequences that are removed one by one, from anywhere, would copy that for each of them
// if each is shown to readers by itself. So they are kept apart for a while, as they
// come, in a short list of which a snapshot has a part, and are put into the stretches
// many at a time.
//
// docs/decisions/0009-deleted-sets.md has the reasons and the alternatives.
type deletedSet struct {
	list stretches
	// recent has apart sequences of the set that are not in the list yet, from the
	// beginning. Snapshots have the first of them. It is nil when there is none.
	recent *[mostRecent]uint64
	count  uint64 // sequences in the set
	// Stretches from index open on are as they were appended: there may be any
	// number of runs in their last window.
	open int
	// Snapshots have the first frozen stretches of the list, and bitmaps of earlier
	// edits; so these do not change.
	frozen int
	edit   uint64
	// summed is how many stretches know how much is deleted before them.
	summed  int
	changed bool // since the last snapshot
	apart   uint8
}

// maxRuns is the most runs that a window is kept as. A bitmap takes as much memory
// as 17 of them; above some ten it is faster to change.
const maxRuns = 8

// mostRecent is how many sequences are kept apart at most. Looking one up goes through
// them all, which at this number takes as long as looking it up in the list.
const mostRecent = 64

// add puts the sequences first..last into the set, whether they are there or not.
func (s *deletedSet) add(first, last uint64) {
	if s.apart > 0 && (first != last || s.apart == mostRecent) {
		s.settle()
	}
	if first == last && s.addRecent(first) {
		return
	}
	s.addToList(first, last)
}

// addRecent puts a sequence among the recent ones, if the list and its bitmap would have to
// be copied for it. It reports false when it is to be put into the list.
func (s *deletedSet) addRecent(sequence uint64) bool {
	n := len(s.list)
	if slices.Contains(s.keptApart(), sequence) {
		return true
	}
	if n == 0 || sequence > s.list[n-1].last {
		return false
	}
	i := s.list.search(sequence)
	switch e := &s.list[i]; {
	case i >= s.frozen && (e.bits == nil || e.bits.edit == s.edit):
		return false // nothing is copied
	case sequence >= e.first && (e.bits == nil || e.bits.contains(sequence-e.first)):
		return true // it is there
	}
	if s.recent == nil {
		s.recent = new([mostRecent]uint64)
	}
	s.recent[s.apart] = sequence
	s.apart++
	s.count++
	s.changed = true
	return true
}

// keptApart returns the sequences that are not in the list.
func (s *deletedSet) keptApart() []uint64 {
	if s.recent == nil {
		return nil
	}
	return s.recent[:s.apart:s.apart]
}

// settle puts the recent sequences into the list.
func (s *deletedSet) settle() {
	recent := s.keptApart()
	s.recent, s.apart = nil, 0 // snapshots have it
	s.count -= uint64(len(recent))
	for _, sequence := range recent {
		s.addToList(sequence, sequence)
	}
}

// settled returns the list, with all sequences in it.
func (s *deletedSet) settled() stretches {
	s.settle()
	return s.list
}

// addToList puts the sequences first..last into the list.
func (s *deletedSet) addToList(first, last uint64) {
	n := len(s.list)
	if n == 0 || first > s.list[n-1].last {
		s.append(first, last)
		return
	}
	i := s.list.search(first)
	switch e := &s.list[i]; {
	case first < e.first || e.last < last:
		s.insert(first, last)
	case e.bits != nil:
		s.addBits(i, first, last)
	}
}

// contains reports whether a sequence is in the set.
func (s *deletedSet) contains(sequence uint64) bool {
	return len(s.list) > 0 && (s.list.contains(sequence) || slices.Contains(s.keptApart(), sequence))
}

// append adds a range behind all others.
func (s *deletedSet) append(first, last uint64) {
	s.changed = true
	s.count += last - first + 1
	if n := len(s.list); n > 0 && s.list[n-1].last/windowSize < first/windowSize {
		s.finishWindow()
	}
	n := len(s.list)
	if n > s.frozen && n > s.open && s.list[n-1].last+1 == first {
		s.list[n-1].last = last // a run: a bitmap reaches to the end of its window
		return
	}
	s.list = append(s.list, stretch{first: first, last: last})
}

// finishWindow ends what was appended to the last window: it is put together now,
// when no more will be appended to it.
func (s *deletedSet) finishWindow() {
	if s.list[s.open:].crowded() {
		var built [8]stretch
		s.replace(s.open, len(s.list), build(built[:0], s.list[s.open:].runs(nil, 0, 0), s.edit))
	}
	s.open = len(s.list)
}

// addBits puts a range into the window of stretch i, which has a bitmap.
func (s *deletedSet) addBits(i int, first, last uint64) {
	old := s.list[i].bits
	from, to := first%windowSize, last%windowSize
	n := old.missing(from, to)
	if n == 0 {
		return
	}
	s.changed = true
	s.count += n
	s.own(i)
	e := &s.list[i]
	if e.bits.edit != s.edit {
		e.bits = &window{words: old.words, count: old.count, edit: s.edit}
	}
	e.bits.set(from, to)
	if e.bits.count += n; e.bits.count == windowSize {
		e.bits = nil
	}
	s.summed = min(s.summed, i+1)
}

// insert adds a range somewhere among the others: it takes apart the stretches of
// the windows at its ends, swallows those in between, and puts them together again.
func (s *deletedSet) insert(first, last uint64) {
	low, high := first/windowSize*windowSize, last|(windowSize-1)
	i := s.list.search(low)
	j := i
	for j < len(s.list) && s.list[j].first <= high {
		j++
	}
	before := s.list[i:j].sum()
	var runs [4 * maxRuns]SequenceRange
	var built [4 * maxRuns]stretch
	by := build(built[:0], s.list[i:j].runs(runs[:0], first, last), s.edit)
	s.changed = true
	s.count += stretches(by).sum() - before
	if j > s.open {
		s.open = min(s.open, i)
	} else {
		s.open += len(by) - (j - i)
	}
	s.replace(i, j, by)
}

// replace puts other stretches in the place of i..j.
func (s *deletedSet) replace(i, j int, by []stretch) {
	s.own(i)
	s.list = slices.Replace(s.list, i, j, by...)
	s.summed = min(s.summed, i)
}

// own makes the stretches from index i on the set's own, which no snapshot has.
func (s *deletedSet) own(i int) {
	if i < s.frozen {
		list := make(stretches, len(s.list), len(s.list)+maxRuns)
		copy(list, s.list)
		s.list, s.frozen = list, 0
	}
}

// snapshot returns the set as it is now, or nil when it has not changed since the
// last snapshot.
func (s *deletedSet) snapshot() *deletedSnapshot {
	if !s.changed {
		return nil
	}
	for i := s.summed; i < len(s.list); i++ {
		s.list[i].before = 0
		if i > 0 {
			s.list[i].before = s.list[i-1].before + s.list[i-1].size()
		}
	}
	n, recent := len(s.list), s.keptApart()
	s.summed, s.frozen, s.changed = n, n, false
	s.edit++
	return &deletedSnapshot{list: s.list[:n:n], count: s.count - uint64(len(recent)), recent: recent}
}
