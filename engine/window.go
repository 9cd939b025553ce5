package engine

import "math/bits"

// windowSize is the number of sequences of a window. A window begins at a multiple
// of it. With 4,096 a change in a block of 65,536 messages copies as much for the
// list of windows as for the bitmap of one.
const windowSize = 4096

// window is a bitmap of the deleted sequences of a window, by their distance from
// its first.
type window struct {
	words [windowSize / 64]uint64
	count uint64
	edit  uint64 // of the set; it changes only bitmaps of its present edit
}

// newWindow returns the stretch of a window with these ranges.
func newWindow(ranges []SequenceRange, edit uint64) stretch {
	first := ranges[0].First / windowSize * windowSize
	w := &window{edit: edit}
	for _, r := range ranges {
		w.set(r.First-first, r.Last-first)
		w.count += r.Last - r.First + 1
	}
	return stretch{first: first, last: first + windowSize - 1, bits: w}
}

// ones returns a word whose bits from..to are set.
func ones(from, to uint64) uint64 { return ^uint64(0) << from & (^uint64(0) >> (63 - to)) }

func (w *window) set(from, to uint64) {
	for i := from / 64; i <= to/64; i++ {
		w.words[i] |= ones(max(from, 64*i)-64*i, min(to, 64*i+63)-64*i)
	}
}

// missing returns how many of from..to are not in the window.
func (w *window) missing(from, to uint64) (n uint64) {
	for i := from / 64; i <= to/64; i++ {
		wanted := ones(max(from, 64*i)-64*i, min(to, 64*i+63)-64*i)
		n += uint64(bits.OnesCount64(wanted &^ w.words[i]))
	}
	return n
}

func (w *window) contains(at uint64) bool { return w.words[at/64]&(1<<(at%64)) != 0 }

// below returns how many deleted sequences the window has before a place.
func (w *window) below(at uint64) (n uint64) {
	for _, word := range w.words[:at/64] {
		n += uint64(bits.OnesCount64(word))
	}
	if at%64 != 0 {
		n += uint64(bits.OnesCount64(w.words[at/64] & (1<<(at%64) - 1)))
	}
	return n
}

// nextSet returns the first place from one on that is deleted, or windowSize.
func (w *window) nextSet(from uint64) uint64 { return w.next(from, 0) }

// nextClear returns the first place from one on that is not deleted, or windowSize.
func (w *window) nextClear(from uint64) uint64 { return w.next(from, ^uint64(0)) }

func (w *window) next(from, flip uint64) uint64 {
	for i := from / 64; i < uint64(len(w.words)); i++ {
		word := w.words[i] ^ flip
		if i == from/64 {
			word &= ^uint64(0) << (from % 64)
		}
		if word != 0 {
			return 64*i + uint64(bits.TrailingZeros64(word))
		}
	}
	return windowSize
}

// lastClear returns the last place up to one that is not deleted.
func (w *window) lastClear(to uint64) (at uint64, ok bool) {
	for i := int(to / 64); i >= 0; i-- {
		word := ^w.words[i]
		if i == int(to/64) {
			word &= ones(0, to%64)
		}
		if word != 0 {
			return uint64(64*i + 63 - bits.LeadingZeros64(word)), true
		}
	}
	return 0, false
}
