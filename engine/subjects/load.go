package subjects

import (
	"bytes"
	"math"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

const (
	// loadLeaf and loadNode are how many subjects or children Load puts together: fewer than fit, so that the first
	// changes do not split everything.
	loadLeaf = 54
	loadNode = 58
	// loadSegment is how many ids Load puts into a segment of the hash table on average.
	loadSegment = 512
)

// Load returns the index of n subjects that next returns, one after the other, in byte order, with what is known of
// each, or nil if there is none; their ids are their places in it, from 0. Info.ID is not looked at. The names must not
// change before Load returns, what an info points at not before the next one. It takes a third of the time that
// Add would, since it builds each part once. It reports false when there are not n subjects, when one is empty, too
// long or without messages, or when they are out of order.
func Load(seed uint64, n int, next func() (name []byte, info *Info)) (*Index, bool) {
	x := New(seed)
	if n == 0 {
		return x, true
	}
	if n >= maxIDs {
		return nil, false
	}
	x.nodes = newReferences[node]()
	l := loader{x: x, hashes: make([]uint32, 0, n), children: make([]child, 0, n/loadLeaf+1)}
	x.ids.list = make([]*[1 << pageBits]location, 0, n>>pageBits+1)
	x.leaves.list = make([]*[1 << pageBits]reference[leaf], 0, n/loadLeaf>>pageBits+1)
	for range n {
		name, info := next()
		if info == nil || !l.take(name, info) {
			return nil, false
		}
	}
	l.finishLeaf()
	l.buildNodes()
	x.table = loadTable(l.hashes)
	return x, true
}

// loader builds an index from the bottom up.
type loader struct {
	x        *Index
	hashes   []uint32 // by id
	names    [loadLeaf][]byte
	hints    [loadLeaf]hint
	entries  [loadLeaf]entry
	used     int
	bytes    int    // of the names
	last     []byte // the last name of the leaf before
	children []child
}

// child is a leaf or node without a parent yet, and what separates it from the one before.
type child struct {
	leaf *leaf
	node *node
	text string
}

// take adds a subject.
func (l *loader) take(name []byte, info *Info) bool {
	before := l.last
	if l.used > 0 {
		before = l.names[l.used-1]
	}
	if len(name) == 0 || len(name) > math.MaxUint16 || info.Count == 0 || bytes.Compare(before, name) >= 0 {
		return false
	}
	if l.used == loadLeaf || l.bytes+len(name) > leafBytes {
		l.finishLeaf()
	}
	t := l.x.tree
	e := &l.entries[l.used]
	*e = entry{tag: uint32(len(l.hashes)), size: info.LastSize}
	e.set(info.First, info.Last, info.FirstExact, info.LastExact)
	t.setCount(e, info.Count)
	t.live++
	t.messages += info.Count
	hash := seedhash.Sum(l.x.seed, name)
	l.hashes = append(l.hashes, hash&l.x.mask)
	l.names[l.used], l.hints[l.used] = name, hintOf(hash)
	l.used++
	l.bytes += len(name)
	return true
}

// finishLeaf makes a leaf of the subjects that were taken since the last one.
func (l *loader) finishLeaf() {
	n := l.used
	if n == 0 {
		return
	}
	first, last := l.names[0], l.names[n-1]
	prefix := common(first, last)
	f := &leaf{epoch: l.x.epoch, prefix: uint16(prefix), minTokens: ^uint32(0)}
	f.number = l.x.leaves.take(f, none)
	f.resize(n)
	f.entries = append(f.entries, l.entries[:n]...)
	f.names = append(make([]byte, 0, l.bytes-(n-1)*prefix), first[:prefix]...)
	lead := uint32(bytes.Count(first[:prefix], dot))
	for i, name := range l.names[:n] {
		rest := name[prefix:]
		f.places[i] = place{uint16(len(f.names) - prefix), uint16(len(rest))}
		f.order[i] = uint8(i)
		f.hints.set(uint8(i), l.hints[i])
		f.names = append(f.names, rest...)
		f.sum += countOf(&l.entries[i], l.x.tree.over)
		tokens := lead + tokens(rest)
		f.minTokens, f.maxTokens = min(f.minTokens, tokens), max(f.maxTokens, tokens)
		id := l.x.ids.add()
		*l.x.ids.at(id) = location(0).liveAt(f.number, uint8(i))
	}
	c := child{leaf: f}
	if l.last != nil {
		c.text = separator(l.last, first)
	}
	l.children = append(l.children, c)
	l.last, l.used, l.bytes = last, 0, 0
}

// buildNodes puts nodes above the leaves, and others above these, up to the root.
func (l *loader) buildNodes() {
	x := l.x
	for {
		above := l.children[:0:0]
		for from := 0; from < len(l.children); from += loadNode {
			part := l.children[from:min(from+loadNode, len(l.children))]
			n := &node{epoch: x.epoch}
			n.number = x.nodes.take(n, none)
			texts := make([]string, 0, len(part)-1)
			for i, c := range part {
				if i > 0 {
					texts = append(texts, c.text)
				}
				if c.leaf != nil {
					n.leaves = append(n.leaves, c.leaf)
				} else {
					n.nodes = append(n.nodes, c.node)
				}
			}
			n.fence = newFence(texts)
			x.adopt(n)
			above = append(above, child{node: n, text: part[0].text})
		}
		if l.children = above; len(above) == 1 {
			x.tree.root = above[0].node
			return
		}
	}
}

// loadTable returns the table of ids with these hashes. It fills one segment after the other, each of which stays in
// the processor's caches meanwhile.
func loadTable(hashes []uint32) table {
	depth := uint8(0)
	for len(hashes)>>depth > loadSegment {
		depth++
	}
	t := table{depth: depth, directory: make([]*segment, 1<<depth), used: len(hashes)}
	home := func(hash uint32) uint32 { return uint32(uint64(hash) >> (32 - depth)) }
	ends := make([]uint32, 1<<depth+1)
	for _, hash := range hashes {
		ends[home(hash)+1]++
	}
	for i := range t.directory {
		t.directory[i] = newSegment(depth, int(ends[i+1]))
		ends[i+1] += ends[i]
	}
	sorted := make([]hashSlot, len(hashes))
	at := append([]uint32(nil), ends[:len(ends)-1]...)
	for id, hash := range hashes {
		i := home(hash)
		sorted[at[i]] = newHashSlot(hash, uint32(id))
		at[i]++
	}
	for i, s := range t.directory {
		for _, slot := range sorted[ends[i]:ends[i+1]] {
			s.put(slot)
		}
	}
	return t
}
