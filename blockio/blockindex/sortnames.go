package blockindex

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A sorter sorts subjects bytewise. Comparing whole subjects costs more than all else
// that a builder does: subjects of a stream begin alike. So it sorts by 8 bytes at a
// time, as numbers, behind what is common.
type sorter struct {
	names    []byte
	subjects []builtSubject
	keys     []sortKey
	spare    []sortKey
}

type sortKey struct {
	key    uint64
	number uint32
}

// radixFrom is from how many keys on sorting by digits is faster than comparing.
const radixFrom = 256

// sort fills order, which has one number for each subject.
func (s *sorter) sort(names []byte, subjects []builtSubject, order []uint32) {
	s.names, s.subjects = names, subjects
	s.keys = slices.Grow(s.keys[:0], len(order))[:len(order)]
	s.spare = slices.Grow(s.spare[:0], len(order))[:len(order)]
	for i := range s.keys {
		s.keys[i].number = uint32(i)
	}
	s.sortFrom(s.keys, s.spare, 0)
	for i := range order {
		order[i] = s.keys[i].number
	}
	s.names, s.subjects = nil, nil
}

func (s *sorter) name(number uint32) []byte {
	subject := &s.subjects[number]
	return s.names[subject.at:][:subject.length]
}

// sortFrom sorts subjects that are alike up to depth.
func (s *sorter) sortFrom(keys, spare []sortKey, depth int) {
	if len(keys) < 2 {
		return
	}
	depth = s.common(keys, depth)
	for i := range keys {
		keys[i].key = keyAt(s.name(keys[i].number)[depth:])
	}
	if len(keys) < radixFrom {
		slices.SortFunc(keys, func(a, b sortKey) int {
			if a.key < b.key {
				return -1
			}
			if a.key > b.key {
				return 1
			}
			return 0
		})
	} else {
		radixSort(keys, spare)
	}
	for from := 0; from < len(keys); {
		to := from + 1
		for to < len(keys) && keys[to].key == keys[from].key {
			to++
		}
		s.sortEqual(keys[from:to], spare[from:to], depth+8)
		from = to
	}
}

// sortEqual sorts subjects with the same key. Where one ends before depth, the zeros
// that a key is filled up with may stand for bytes of another.
func (s *sorter) sortEqual(keys, spare []sortKey, depth int) {
	if len(keys) < 2 {
		return
	}
	for i := range keys {
		if int(s.subjects[keys[i].number].length) < depth {
			slices.SortFunc(keys, func(a, b sortKey) int { return bytes.Compare(s.name(a.number), s.name(b.number)) })
			return
		}
	}
	s.sortFrom(keys, spare, depth)
}

// common returns how long the subjects are alike, at least depth.
func (s *sorter) common(keys []sortKey, depth int) int {
	first := s.name(keys[0].number)
	n := len(first)
	for i := 1; i < len(keys) && n > depth; i++ {
		n = depth + alike(first[depth:n], s.name(keys[i].number)[depth:])
	}
	return n
}

// alike returns how many bytes a and b have in common at their start.
func alike(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]); i += 8 {
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// keyAt returns the first 8 bytes as a number that sorts as they do.
func keyAt(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.BigEndian.Uint64(name)
	}
	var b [8]byte
	copy(b[:], name)
	return binary.BigEndian.Uint64(b[:])
}

// radixSort sorts by key, a byte at a time from the lowest, and leaves out the bytes
// that all keys have alike.
func radixSort(keys, spare []sortKey) {
	from, to := keys, spare
	var counts [8][256]uint32
	for i := range from {
		key := from[i].key
		for digit := range counts {
			counts[digit][byte(key>>(8*digit))]++
		}
	}
	for shift := 0; shift < 64; shift += 8 {
		at := &counts[shift/8]
		if at[byte(from[0].key>>shift)] == uint32(len(from)) {
			continue
		}
		sum := uint32(0)
		for digit, n := range at {
			at[digit] = sum
			sum += n
		}
		for i := range from {
			digit := byte(from[i].key >> shift)
			to[at[digit]] = from[i]
			at[digit]++
		}
		from, to = to, from
	}
	if &from[0] != &keys[0] {
		copy(keys, from)
	}
}
