package subjects

import (
	"encoding/binary"
	"slices"
)

const nodeMax = 64

// node is an inner node of the tree. Its children are leaves or nodes.
type node struct {
	epoch  uint64
	number uint32
	fence  *fence
	leaves []*leaf
	nodes  []*node
}

func (n *node) len() int { return len(n.leaves) + len(n.nodes) }

// copyOf returns a copy for a later epoch, for the owner to change.
func (n *node) copyOf(epoch uint64) *node {
	c := *n
	c.epoch = epoch
	c.leaves, c.nodes = slices.Clone(n.leaves), slices.Clone(n.nodes)
	return &c
}

// fence separates the children of a node: child i holds the names at or after
// separator i-1 and before separator i. It is immutable, so that copies of a node
// share it; few changes of a tree need another one.
type fence struct {
	prefix string // common to all separators
	texts  []string
	keys   [nodeMax]uint64 // the bytes of the separators behind it, to compare with first
}

var noFence = new(fence)

func newFence(texts []string) *fence {
	if len(texts) == 0 {
		return noFence
	}
	first, last := texts[0], texts[len(texts)-1]
	n := 0
	for n < min(len(first), len(last)) && first[n] == last[n] {
		n++
	}
	f := &fence{prefix: first[:n], texts: texts}
	for i, text := range texts {
		f.keys[i] = key(text[n:])
	}
	return f
}

// key returns the first eight bytes of a text as a number. Numbers sort as the texts do.
func key[T string | []byte](text T) uint64 {
	var head [8]byte
	copy(head[:], text)
	return binary.BigEndian.Uint64(head[:])
}

// find returns the index of the child that a name belongs to.
func (f *fence) find(name []byte) int {
	n := len(f.prefix)
	if len(name) < n || string(name[:n]) != f.prefix {
		if string(name) < f.prefix {
			return 0
		}
		return len(f.texts)
	}
	k := key(name[n:])
	low, high := 0, len(f.texts)
	for low < high {
		middle := int(uint(low+high) / 2)
		if other := f.keys[middle]; other < k || other == k && f.texts[middle] <= string(name) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// with returns a fence that has one more separator.
func (f *fence) with(i int, text string) *fence {
	texts := make([]string, len(f.texts)+1)
	copy(texts, f.texts[:i])
	texts[i] = text
	copy(texts[i+1:], f.texts[i:])
	return newFence(texts)
}

// without returns a fence that has one separator less.
func (f *fence) without(i int) *fence {
	return newFence(slices.Concat(f.texts[:i], f.texts[i+1:]))
}

// separator returns the shortest text that is after left and not after right.
func separator(left, right []byte) string { return string(right[:common(left, right)+1]) }
