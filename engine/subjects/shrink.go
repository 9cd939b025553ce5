package subjects

import "slices"

const (
	// A leaf or a node that has less than sparse in it joins a sibling, if together
	// they have no more than joined: so that the next few changes do not split them
	// again.
	sparse = leafMax / 4
	joined = leafMax * 3 / 4
)

// take removes an entry without messages from the tree.
func (x *Index) take(number uint32, slot uint8) {
	l := x.writableLeaf(number)
	l.zombies--
	l.remove(slot)
	if int(slot) < l.len() {
		w := x.ids.at(l.entries[slot].id())
		*w = w.liveAt(number, slot)
	}
	switch {
	case l.len() == 0:
		parent := x.writableNode(x.leaves.at(number).parent)
		x.dropLeaf(parent, slices.Index(parent.leaves, l))
	case l.len() < sparse && x.join(l):
	case cap(l.entries) > l.len()+sparse:
		l.resize(l.len() + spareEntries)
		l.repack(int(l.prefix), 0)
	case int(l.unused) > len(l.names)/2:
		l.repack(int(l.prefix), 0)
	}
}

// join merges a sparse leaf with the one before or after it, if there is room.
func (x *Index) join(l *leaf) bool {
	parent := x.nodes.at(x.leaves.at(l.number).parent).to
	at := slices.Index(parent.leaves, l)
	for _, left := range [2]int{at, at - 1} {
		if left < 0 || left+1 >= len(parent.leaves) {
			continue
		}
		a, b := parent.leaves[left], parent.leaves[left+1]
		if a.len()+b.len() > joined {
			continue
		}
		first, last := a.appendName(nil, a.order[0]), b.appendName(nil, b.order[b.len()-1])
		prefix := common(first, last)
		if a.width(prefix)+b.width(prefix) > leafBytes {
			continue
		}
		x.merge(x.writableLeaf(a.number), b, prefix)
		x.dropLeaf(x.writableNode(parent.number), left+1)
		return true
	}
	return false
}

// merge moves the entries of b behind those of a. b is left as it is.
func (x *Index) merge(a, b *leaf, prefix int) {
	n := a.len()
	tail := b.part(b.slots(), 0)
	tail.repack(prefix, 0)
	a.resize(n + b.len() + spareEntries)
	a.repack(prefix, len(tail.names)-prefix)
	at := len(a.names) - prefix
	a.names = append(a.names, tail.names[prefix:]...)
	a.entries = append(a.entries, tail.entries...)
	for i, p := range tail.places[:tail.len()] {
		a.places[n+i] = place{p.at + uint16(at), p.size}
		a.order[n+i] = uint8(n + i)
		a.hints.set(uint8(n+i), tail.hints.at(uint8(i)))
	}
	a.recount(x.tree.over)
	x.locate(a, n)
}

// dropLeaf takes a leaf out of a node.
func (x *Index) dropLeaf(parent *node, at int) {
	x.leaves.give(parent.leaves[at].number)
	parent.leaves = slices.Delete(parent.leaves, at, at+1)
	x.dropped(parent, at)
}

// dropped puts a node in order again that has lost a child.
func (x *Index) dropped(n *node, at int) {
	if len(n.fence.texts) > 0 {
		n.fence = n.fence.without(max(at-1, 0))
	}
	up := x.nodes.at(n.number).parent
	switch {
	case up == none:
		x.lowerRoot(n)
	case n.len() == 0:
		parent := x.writableNode(up)
		x.dropNode(parent, slices.Index(parent.nodes, n))
	case n.len() < sparse:
		x.joinNode(n, up)
	}
}

func (x *Index) dropNode(parent *node, at int) {
	x.nodes.give(parent.nodes[at].number)
	parent.nodes = slices.Delete(parent.nodes, at, at+1)
	x.dropped(parent, at)
}

// lowerRoot removes roots that have a single node below them.
func (x *Index) lowerRoot(n *node) {
	if len(n.nodes) != 1 {
		if n.len() == 0 {
			n.leaves, n.nodes = nil, nil // from now on it has leaves
		}
		return
	}
	child := n.nodes[0]
	x.nodes.give(n.number)
	x.nodes.at(child.number).parent = none
	x.header().root = child
	x.lowerRoot(child)
}

// joinNode merges a sparse node with the one before or after it, if there is room.
func (x *Index) joinNode(n *node, up uint32) {
	parent := x.nodes.at(up).to
	at := slices.Index(parent.nodes, n)
	for _, left := range [2]int{at, at - 1} {
		if left < 0 || left+1 >= len(parent.nodes) {
			continue
		}
		b := parent.nodes[left+1]
		if parent.nodes[left].len()+b.len() > joined {
			continue
		}
		a := x.writableNode(parent.nodes[left].number)
		parent = x.writableNode(up)
		a.fence = newFence(slices.Concat(a.fence.texts, parent.fence.texts[left:left+1], b.fence.texts))
		a.leaves, a.nodes = append(a.leaves, b.leaves...), append(a.nodes, b.nodes...)
		x.adopt(a)
		x.dropNode(parent, left+1)
		return
	}
}
