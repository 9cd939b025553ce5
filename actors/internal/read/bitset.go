package read

import "math/bits"

// bitset is a set of records of a part of a block, one bit for each.
type bitset []uint64

// reset returns an empty set for n records, in the memory of b if that is large enough.
func (b bitset) reset(n int) bitset {
	words := (n + 63) / 64
	if cap(b) < words {
		return make(bitset, words)
	}
	b = b[:words]
	clear(b)
	return b
}

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b bitset) setRange(from, to int) {
	for ; from < to && from%64 != 0; from++ {
		b.set(from)
	}
	for ; from+64 <= to; from += 64 {
		b[from/64] = ^uint64(0)
	}
	for ; from < to; from++ {
		b.set(from)
	}
}

func (b bitset) clearRange(from, to int) {
	for ; from < to && from%64 != 0; from++ {
		b[from/64] &^= 1 << (from % 64)
	}
	for ; from+64 <= to; from += 64 {
		b[from/64] = 0
	}
	for ; from < to; from++ {
		b[from/64] &^= 1 << (from % 64)
	}
}

func (b bitset) count() (n uint64) {
	for _, word := range b {
		n += uint64(bits.OnesCount64(word))
	}
	return n
}

// next returns the first member at or after i, or -1.
func (b bitset) next(i int) int {
	if i >= 64*len(b) {
		return -1
	}
	word := b[i/64] >> (i % 64) << (i % 64)
	for w := i / 64; ; word = b[w] {
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word)
		}
		if w++; w == len(b) {
			return -1
		}
	}
}

// prev returns the last member at or before i, or -1.
func (b bitset) prev(i int) int {
	if i < 0 || len(b) == 0 {
		return -1
	}
	i = min(i, 64*len(b)-1)
	word := b[i/64] << (63 - i%64) >> (63 - i%64)
	for w := i / 64; ; word = b[w] {
		if word != 0 {
			return w*64 + 63 - bits.LeadingZeros64(word)
		}
		if w--; w < 0 {
			return -1
		}
	}
}
