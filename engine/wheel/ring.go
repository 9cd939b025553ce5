package wheel

import (
	"math/bits"
	"slices"
)

// ring has a slot for each value of one digit that occurs in its entries. All of them
// have the digits before it in common.
type ring struct {
	like  entry  // one that has these digits in common
	digit int    // by which the entries are put into slots
	n     int    // entries, those of finer rings included
	used  uint16 // the values that have a slot, as bits
	slots []slot // of these, in order; none is empty between two calls of the wheel
}

// above returns a ring at a digit before that of r which has r as its only slot.
func (r *ring) above(digit int) *ring {
	return &ring{
		like: r.like, digit: digit, n: r.n,
		used: 1 << r.like.digit(digit), slots: []slot{{ring: r}},
	}
}

// has reports whether there is a slot for a value.
func (r *ring) has(value int) bool { return r.used>>value&1 != 0 }

// index returns where the slot for a value is, or would have to be.
func (r *ring) index(value int) int {
	return bits.OnesCount16(r.used & (1<<value - 1))
}

// slot returns the slot for a value, which is made if need be.
func (r *ring) slot(value int) *slot {
	i := r.index(value)
	if !r.has(value) {
		r.used |= 1 << value
		r.slots = slices.Insert(r.slots, i, slot{})
	}
	return &r.slots[i]
}

// dropEmpty removes the slot for a value if it is empty.
func (r *ring) dropEmpty(value int) {
	i := r.index(value)
	if s := &r.slots[i]; s.ring == nil && len(s.entries) == 0 {
		r.used &^= 1 << value
		r.slots = slices.Delete(r.slots, i, i+1)
	}
}

// dropFirst removes the first n slots.
func (r *ring) dropFirst(n int) {
	r.slots = slices.Delete(r.slots, 0, n)
	for range n {
		r.used &= r.used - 1
	}
}
