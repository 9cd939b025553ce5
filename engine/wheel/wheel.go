package wheel

import (
	"math"
)

// Wheel is a set of pairs of a sequence and a due time. A sequence that is added with
// two due times is two entries, and both are visited: a caller to whom the later one
// replaces the earlier removes that. The zero Wheel is empty and ready for use. A Wheel
// must not be copied, and is not safe for concurrent use.
type Wheel struct {
	top      slot
	n        int
	visiting bool // Expire is at work
}

// mustRest panics when a visit uses the wheel that it is told of.
func (w *Wheel) mustRest() {
	if w.visiting {
		panic("wheel: used while Expire visits its entries")
	}
}

// Len returns how many entries there are.
func (w *Wheel) Len() int { return w.n }

// Add adds an entry. It reports false, and changes nothing, when the same sequence is
// there with the same due time.
func (w *Wheel) Add(sequence uint64, due int64) bool {
	w.mustRest()
	if !w.top.add(entry{due, sequence}) {
		return false
	}
	w.n++
	return true
}

// Remove removes an entry, and reports whether it was there.
func (w *Wheel) Remove(sequence uint64, due int64) bool {
	w.mustRest()
	if !w.top.remove(entry{due, sequence}) {
		return false
	}
	w.n--
	return true
}

// Next returns the earliest due time, exactly, or false when there are no entries.
func (w *Wheel) Next() (due int64, ok bool) {
	w.mustRest()
	if w.n == 0 {
		return 0, false
	}
	return w.top.first().due, true
}

// Expire visits the entries that are due at a time or before it, and no others: the
// earliest first, and of those that are due at the same time the lowest sequence first. An
// entry for which visit returns true is removed. With false it stays, as do all behind it,
// and Expire returns.
//
// visit must not use the wheel, which panics then: what follows from an entry that is due
// and may remove others, the caller does after Expire.
func (w *Wheel) Expire(now int64, visit func(sequence uint64, due int64) bool) {
	w.mustRest()
	w.visiting = true
	n, _ := w.top.expire(now, visit)
	w.visiting = false
	w.n -= n
}

// RemoveRange removes the entries of all sequences from first to last, and returns how
// many they were. It looks at every entry.
func (w *Wheel) RemoveRange(first, last uint64) int {
	w.mustRest()
	n := w.top.removeRange(first, last)
	w.n -= n
	return n
}

// RemoveAbove removes the entries of all sequences above one, and returns how many they
// were. It looks at every entry.
func (w *Wheel) RemoveAbove(sequence uint64) int {
	if sequence == math.MaxUint64 {
		return 0
	}
	return w.RemoveRange(sequence+1, math.MaxUint64)
}

// Clear removes all entries and gives up their memory.
func (w *Wheel) Clear() {
	w.mustRest()
	*w = Wheel{}
}
