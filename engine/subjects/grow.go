package subjects

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// header returns the tree itself, for the owner to change: a copy, if it is frozen.
func (x *Index) header() *Tree {
	if x.tree.epoch != x.epoch {
		t := *x.tree
		t.epoch = x.epoch
		x.tree = &t
	}
	return x.tree
}

// writableLeaf returns a leaf for the owner to change: a copy, if it may be in a frozen
// tree, in which the leaf stays as it is.
func (x *Index) writableLeaf(number uint32) *leaf {
	r := x.leaves.at(number)
	if r.to.epoch == x.epoch {
		return r.to
	}
	old := r.to
	r.to = old.copyOf(x.epoch)
	parent := x.writableNode(r.parent)
	parent.leaves[slices.Index(parent.leaves, old)] = r.to
	return r.to
}

// writableNode is writableLeaf for inner nodes, up to the root.
func (x *Index) writableNode(number uint32) *node {
	r := x.nodes.at(number)
	if r.to.epoch == x.epoch {
		return r.to
	}
	old := r.to
	r.to = old.copyOf(x.epoch)
	if r.parent == none {
		x.header().root = r.to
		return r.to
	}
	parent := x.writableNode(r.parent)
	parent.nodes[slices.Index(parent.nodes, old)] = r.to
	return r.to
}

// enter brings a staged subject into the tree, without messages yet.
func (x *Index) enter(id uint32) {
	w := x.ids.at(id)
	name := x.stagedName(*w)
	l := x.leafFor(name)
	for {
		position, _ := l.search(name, 0)
		if l.fits(name) {
			l.insert(position, name, hintOf(seedhash.Sum(x.seed, name)), entry{tag: id})
			break
		}
		l = x.split(l, position, name)
	}
	l.zombies++
	*w = w.liveAt(l.number, uint8(l.len()-1))
}

// leafFor returns the leaf that a name belongs to, for the owner to change.
func (x *Index) leafFor(name []byte) *leaf {
	if l := x.tree.leafFor(name); l != nil {
		if l.epoch == x.epoch {
			return l
		}
		return x.writableLeaf(l.number)
	}
	root := x.writableNode(x.tree.root.number)
	l := x.newLeaf(name, root.number)
	root.leaves = append(root.leaves, l)
	return l
}

// newLeaf returns an empty leaf for a name that is about to be inserted. All of the
// name becomes the leaf's common prefix.
func (x *Index) newLeaf(name []byte, parent uint32) *leaf {
	l := &leaf{epoch: x.epoch, names: slices.Clone(name), prefix: uint16(len(name)), minTokens: ^uint32(0)}
	l.number = x.leaves.take(l, parent)
	return l
}

// split makes room for a name at a position of a leaf, and returns the leaf to insert
// it into. At an end of the leaf the name gets a new one, so that names in ascending
// order leave full leaves behind.
func (x *Index) split(l *leaf, position int, name []byte) *leaf {
	r := x.leaves.at(l.number)
	parent := x.writableNode(r.parent)
	at := slices.Index(parent.leaves, l)
	switch position {
	case l.len():
		last := l.appendName(nil, l.order[l.len()-1])
		fresh := x.newLeaf(name, r.parent)
		x.addLeaf(parent, at+1, fresh, at, separator(last, name))
		return fresh
	case 0:
		first := l.appendName(nil, l.order[0])
		fresh := x.newLeaf(name, r.parent)
		x.addLeaf(parent, at, fresh, at, separator(name, first))
		return fresh
	}
	text, right := x.halve(l)
	right.number = x.leaves.take(right, r.parent)
	x.locate(l, 0)
	x.locate(right, 0)
	x.addLeaf(parent, at+1, right, at, text)
	if string(name) < text {
		return l
	}
	return right
}

// halve moves the upper half of a leaf to a new one, and returns what separates them.
func (x *Index) halve(l *leaf) (string, *leaf) {
	slots := l.slots()
	middle := len(slots) / 2
	left, right := l.part(slots[:middle], spareEntries), l.part(slots[middle:], spareEntries)
	text := separator(left.appendName(nil, uint8(middle-1)), right.appendName(nil, 0))
	left.number = l.number
	left.recount(x.tree.over)
	right.recount(x.tree.over)
	*l = *left
	return text, right
}

// locate notes where the entries of a leaf are, from a slot on.
func (x *Index) locate(l *leaf, from int) {
	for slot := from; slot < l.len(); slot++ {
		w := x.ids.at(l.entries[slot].id())
		*w = w.liveAt(l.number, uint8(slot))
	}
}

// addLeaf adds a leaf to a node, and a separator beside it.
func (x *Index) addLeaf(n *node, at int, l *leaf, textAt int, text string) {
	n.leaves = slices.Insert(n.leaves, at, l)
	n.fence = n.fence.with(textAt, text)
	x.splitNode(n, at)
}

// splitNode splits a node that has become too large, and so on upwards. at is where a
// child was added.
func (x *Index) splitNode(n *node, at int) {
	if n.len() <= nodeMax {
		return
	}
	middle := n.len() / 2
	if at == nodeMax {
		middle = nodeMax // ascending: leave a full node behind
	}
	if x.nodes.at(n.number).parent == none {
		x.addRoot(n)
	}
	up := x.nodes.at(n.number).parent
	parent := x.writableNode(up)
	text, right := n.fence.texts[middle-1], &node{epoch: x.epoch}
	right.number = x.nodes.take(right, up)
	right.fence = newFence(slices.Clone(n.fence.texts[middle:]))
	n.fence = newFence(slices.Clone(n.fence.texts[:middle-1]))
	if n.leaves != nil {
		right.leaves = slices.Clone(n.leaves[middle:])
		n.leaves = slices.Clone(n.leaves[:middle])
	} else {
		right.nodes = slices.Clone(n.nodes[middle:])
		n.nodes = slices.Clone(n.nodes[:middle])
	}
	x.adopt(right)
	i := slices.Index(parent.nodes, n)
	parent.nodes = slices.Insert(parent.nodes, i+1, right)
	parent.fence = parent.fence.with(i, text)
	x.splitNode(parent, i+1)
}

// addRoot puts a new root above the old one.
func (x *Index) addRoot(old *node) {
	root := &node{epoch: x.epoch, fence: noFence, nodes: []*node{old}}
	root.number = x.nodes.take(root, none)
	x.nodes.at(old.number).parent = root.number
	x.header().root = root
}

// adopt makes a node the parent of its children.
func (x *Index) adopt(n *node) {
	for _, l := range n.leaves {
		x.leaves.at(l.number).parent = n.number
	}
	for _, child := range n.nodes {
		x.nodes.at(child.number).parent = n.number
	}
}
