// Package seedhash hashes what somebody else has chosen, such as subjects and ids of
// messages. It has no state and no randomness: the seed is given.
package seedhash

import "math/bits"

// Odd constants with about as many ones as zeros, in no pattern.
const (
	mixA = 0x9e3779b97f4a7c15
	mixB = 0xd6e8feb86659fd93
)

// Sum hashes a text with a seed. Somebody who does not know the seed cannot choose texts
// that collide.
func Sum[T string | []byte](seed uint64, s T) uint32 {
	state := seed ^ uint64(len(s))*mixA
	for len(s) > 16 {
		state = mix(load(s)^seed, load(s[8:])^state)
		s = s[16:]
	}
	var a, b uint64
	switch {
	case len(s) >= 8:
		a, b = load(s), load(s[len(s)-8:])
	case len(s) >= 4:
		a, b = loadHalf(s), loadHalf(s[len(s)-4:])
	case len(s) > 0:
		a = uint64(s[0])<<16 | uint64(s[len(s)/2])<<8 | uint64(s[len(s)-1])
	}
	state = mix(a^mixB^seed, b^state)
	return uint32(mix(state^mixA, seed^mixB) >> 32)
}

// mix multiplies to twice the width and folds.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// load reads eight bytes; the compiler makes one instruction of it.
func load[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// loadHalf reads four.
func loadHalf[T string | []byte](s T) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}
