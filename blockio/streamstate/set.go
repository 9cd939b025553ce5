package streamstate

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
)

// A Set is a set of sequences as index.db has it of each block with deleted messages: nodes of 2,048 sequences,
// each a bitmap. They are the nodes of an AVL tree, in pre-order. A Set does not change. The nil Set is empty.
type Set struct {
	nodes  []setNode // as they are encoded
	sorted []uint32  // their indices, in order of their first sequences
	count  uint64
}

const (
	setMagic    = 22
	setVersion  = 2
	setHeadSize = 2 + 4 + 4
	wordsOfNode = 32
	spanOfNode  = 64 * wordsOfNode
	nodeSize    = 8 + 8*wordsOfNode + 2
	// A node of version 1 has twice as many words.
	wordsOfNode1 = 64
	nodeSize1    = 8 + 8*wordsOfNode1 + 2
)

type setNode struct {
	base   uint64 // its first sequence
	words  [wordsOfNode]uint64
	height uint16 // in the tree; that of a leaf is 1
}

// NewSet returns the set of ranges of sequences, first and last, which ascend and do not touch one another's
// sequences.
func NewSet(ranges iter.Seq2[uint64, uint64]) *Set {
	var nodes []setNode
	for first, last := range ranges {
		for at := first; at >= first && at <= last; {
			base := at / spanOfNode * spanOfNode
			if n := len(nodes); n == 0 || nodes[n-1].base != base {
				nodes = append(nodes, setNode{base: base})
			}
			end := min(last, base+spanOfNode-1)
			node := &nodes[len(nodes)-1]
			for s := at - base; s <= end-base; s++ {
				node.words[s/64] |= 1 << (s % 64)
			}
			at = end + 1
		}
	}
	s := &Set{nodes: make([]setNode, 0, len(nodes))}
	s.plant(nodes)
	if err := s.sort(); err != "" {
		panic("streamstate: the ranges of a set do not ascend: " + err)
	}
	return s
}

// plant adds nodes, which are in order, as a balanced tree, and returns its height.
func (s *Set) plant(nodes []setNode) (height uint16) {
	if len(nodes) == 0 {
		return 0
	}
	middle, at := len(nodes)/2, len(s.nodes)
	s.nodes = append(s.nodes, nodes[middle])
	height = 1 + max(s.plant(nodes[:middle]), s.plant(nodes[middle+1:]))
	s.nodes[at].height = height
	return height
}

// sort finds the order of the nodes, and counts. It says what is wrong with them, if anything is.
func (s *Set) sort() (wrong string) {
	s.sorted = make([]uint32, len(s.nodes))
	for i := range s.nodes {
		s.sorted[i] = uint32(i)
		for _, word := range s.nodes[i].words {
			s.count += uint64(bits.OnesCount64(word))
		}
	}
	slices.SortFunc(s.sorted, func(a, b uint32) int { return cmp.Compare(s.nodes[a].base, s.nodes[b].base) })
	for i := range s.sorted {
		base := s.nodes[s.sorted[i]].base
		switch {
		case base > 1<<62:
			return "a node is beyond all sequences"
		case i > 0 && base-s.nodes[s.sorted[i-1]].base < spanOfNode:
			return "two nodes have the same sequences"
		}
	}
	return ""
}

// Len returns how many sequences are in the set.
func (s *Set) Len() uint64 {
	if s == nil {
		return 0
	}
	return s.count
}

// Contains reports whether a sequence is in the set.
func (s *Set) Contains(sequence uint64) bool {
	if s == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(s.sorted, sequence, func(n uint32, sequence uint64) int {
		return cmp.Compare(s.nodes[n].base, sequence)
	})
	if !found {
		i--
	}
	if i < 0 {
		return false
	}
	node := &s.nodes[s.sorted[i]]
	at := sequence - node.base
	return at < spanOfNode && node.words[at/64]>>(at%64)&1 != 0
}

// Ranges returns the sequences of the set as ranges, first and last, which ascend.
func (s *Set) Ranges() iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) {
		if s == nil {
			return
		}
		first, next := uint64(0), uint64(0) // the range so far; first == next when there is none
		for _, n := range s.sorted {
			node := &s.nodes[n]
			for i, word := range node.words {
				for word != 0 {
					low := bits.TrailingZeros64(word)
					run := bits.TrailingZeros64(^(word >> low))
					at := node.base + uint64(64*i+low)
					if first != next && at != next {
						if !yield(first, next-1) {
							return
						}
						first = at
					} else if first == next {
						first = at
					}
					next = at + uint64(run)
					word &^= (1<<run - 1) << low
				}
			}
		}
		if first != next {
			yield(first, next-1)
		}
	}
}

// Append appends the encoding of the set.
func (s *Set) Append(dst []byte) []byte {
	if s == nil {
		s = &Set{}
	}
	dst = append(dst, setMagic, setVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.nodes)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.count))
	for i := range s.nodes {
		node := &s.nodes[i]
		dst = binary.LittleEndian.AppendUint64(dst, node.base)
		for _, word := range node.words {
			dst = binary.LittleEndian.AppendUint64(dst, word)
		}
		dst = binary.LittleEndian.AppendUint16(dst, node.height)
	}
	return dst
}

// DecodeSet decodes the set at the beginning of data, and returns how many bytes it has.
func DecodeSet(data []byte) (*Set, int, error) {
	d := decoder{file: "set of sequences", data: data}
	s := d.set()
	return s, d.at, d.err
}

// set takes a set of sequences.
func (d *decoder) set() *Set {
	start := d.at
	head := d.bytes(setHeadSize, "head of a set")
	if d.err != nil {
		return nil
	}
	words, size := wordsOfNode, nodeSize
	switch {
	case head[0] != setMagic:
		d.at = start
		d.fail("a set begins with %d, not with %d", head[0], setMagic)
		return nil
	case head[1] == 1:
		words, size = wordsOfNode1, nodeSize1
	case head[1] != setVersion:
		d.at = start
		d.fail("a set of version %d", head[1])
		return nil
	}
	n := d.bounded("nodes of a set", uint64(binary.LittleEndian.Uint32(head[2:])), size)
	s := &Set{nodes: make([]setNode, 0, n*words/wordsOfNode)}
	for range n {
		s.decodeNode(d.bytes(uint64(size), "node of a set"), words)
	}
	if d.err != nil {
		return nil
	}
	if words != wordsOfNode { // the halves are nodes of their own, which are no tree yet
		slices.SortFunc(s.nodes, func(a, b setNode) int { return cmp.Compare(a.base, b.base) })
		halves := s.nodes
		s.nodes = make([]setNode, 0, len(halves))
		s.plant(halves)
	}
	wrong := s.sort()
	if count := binary.LittleEndian.Uint32(head[6:]); wrong == "" && uint64(count) != s.count {
		d.fail("a set of %d sequences says that it has %d", s.count, count)
	}
	if wrong != "" {
		d.fail("a set: %s", wrong)
	}
	if d.err != nil {
		return nil
	}
	return s
}

// decodeNode adds a node of so many words; one of version 1 is split, and a half without sequences left out.
func (s *Set) decodeNode(data []byte, words int) {
	if data == nil {
		return
	}
	base, height := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint16(data[8+8*words:])
	for from := 0; from < words; from += wordsOfNode {
		node := setNode{base: base + uint64(64*from), height: height}
		any := uint64(0)
		for i := range node.words {
			node.words[i] = binary.LittleEndian.Uint64(data[8+8*(from+i):])
			any |= node.words[i]
		}
		if any != 0 || words == wordsOfNode {
			s.nodes = append(s.nodes, node)
		}
	}
}
