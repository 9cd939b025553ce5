package subjects

import (
	"bytes"
	"fmt"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// check looks at everything that must hold between two operations, and returns what
// does not.
func (x *Index) check() error {
	c := checker{x: x, seen: map[uint32]bool{}}
	t := x.tree
	if x.nodes.at(t.root.number).parent != none {
		return fmt.Errorf("the root has a parent")
	}
	if err := c.node(t.root, nil, nil); err != nil {
		return err
	}
	if c.live != t.live || c.messages != t.messages {
		return fmt.Errorf("%d subjects with %d messages, the header says %d with %d", c.live, c.messages, t.live, t.messages)
	}
	if err := c.others(); err != nil {
		return err
	}
	return c.hash()
}

type checker struct {
	x             *Index
	seen          map[uint32]bool // ids that the tree or a staged list has
	depth, level  int
	live          int
	messages      uint64
	leaves, nodes int
	overs         int
	lastName      []byte
}

func (c *checker) node(n *node, low, high []byte) error {
	c.nodes++
	c.level++
	defer func() { c.level-- }()
	if c.x.nodes.at(n.number).to != n {
		return fmt.Errorf("node %d is not the current one", n.number)
	}
	if n.len() > nodeMax || n.len() == 0 && n != c.x.tree.root || n.leaves != nil && n.nodes != nil {
		return fmt.Errorf("node %d has %d leaves and %d nodes", n.number, len(n.leaves), len(n.nodes))
	}
	if len(n.fence.texts) != max(n.len()-1, 0) {
		return fmt.Errorf("node %d: %d children, %d separators", n.number, n.len(), len(n.fence.texts))
	}
	for i := range n.len() {
		from, to := low, high
		if i > 0 {
			from = []byte(n.fence.texts[i-1])
		}
		if i < n.len()-1 {
			to = []byte(n.fence.texts[i])
		}
		if from != nil && to != nil && bytes.Compare(from, to) >= 0 {
			return fmt.Errorf("node %d: separators out of order", n.number)
		}
		if n.nodes != nil {
			if c.x.nodes.at(n.nodes[i].number).parent != n.number {
				return fmt.Errorf("node %d has another parent", n.nodes[i].number)
			}
			if err := c.node(n.nodes[i], from, to); err != nil {
				return err
			}
			continue
		}
		if c.depth == 0 {
			c.depth = c.level
		}
		if c.depth != c.level {
			return fmt.Errorf("leaves at level %d and %d", c.depth, c.level)
		}
		if err := c.leaf(n.leaves[i], n.number, from, to); err != nil {
			return fmt.Errorf("leaf %d: %w", n.leaves[i].number, err)
		}
	}
	return nil
}

func (c *checker) leaf(l *leaf, parent uint32, low, high []byte) error {
	c.leaves++
	if r := c.x.leaves.at(l.number); r.to != l || r.parent != parent {
		return fmt.Errorf("not the current one, or its parent is not %d", parent)
	}
	if l.len() == 0 || l.len() > leafMax || l.width(int(l.prefix)) > leafBytes {
		return fmt.Errorf("%d entries, %d bytes of names", l.len(), l.width(int(l.prefix)))
	}
	if len(l.names) != int(l.prefix)+l.width(int(l.prefix))+int(l.unused) {
		return fmt.Errorf("%d bytes of names, %d of unused", len(l.names), l.unused)
	}
	var sum uint64
	var zombies int
	for _, slot := range l.slots() {
		name := l.appendName(nil, slot)
		if c.lastName != nil && bytes.Compare(c.lastName, name) >= 0 || low != nil && bytes.Compare(name, low) < 0 || high != nil && bytes.Compare(name, high) >= 0 {
			return fmt.Errorf("%q is out of order", name)
		}
		c.lastName = name
		if got, want := l.hints.at(slot), hintOf(seedhash.Sum(c.x.seed, name)); got != want {
			return fmt.Errorf("%q: hint %d instead of %d", name, got, want)
		}
		if n := tokens(name); n < l.minTokens || n > l.maxTokens || n != l.tokensOf(slot) {
			return fmt.Errorf("%q: %d tokens", name, n)
		}
		e := &l.entries[slot]
		if w := *c.x.ids.at(e.id()); !w.live() || w.leaf() != l.number || w.slot() != slot {
			return fmt.Errorf("%q: its id %d is at %x", name, e.id(), w)
		} else if e.count == 0 && w&marks == 0 {
			return fmt.Errorf("%q: neither messages nor marks", name)
		}
		if e.count == many {
			c.overs++
		}
		if e.count == 0 {
			zombies++
		}
		sum += countOf(e, c.x.tree.over)
		if c.seen[e.id()] {
			return fmt.Errorf("id %d is there twice", e.id())
		}
		c.seen[e.id()] = true
	}
	c.live += l.len() - zombies
	c.messages += sum
	if sum != l.sum || zombies != int(l.zombies) {
		return fmt.Errorf("sum %d, want %d; zombies %d, want %d", l.sum, sum, l.zombies, zombies)
	}
	return nil
}

// others checks the lists beside the tree: ids, numbers, what is staged.
func (c *checker) others() error {
	x := c.x
	if len(x.tree.over) != c.overs {
		return fmt.Errorf("%d large counts, the tree has %d", len(x.tree.over), c.overs)
	}
	marked := [2]map[uint32]bool{{}, {}}
	for parity := range x.staged {
		for _, id := range x.staged[parity].ids {
			if marked[parity][id] {
				return fmt.Errorf("id %d is marked twice", id)
			}
			marked[parity][id] = true
		}
	}
	free := 0
	for id := range x.ids.used {
		w := *x.ids.at(id)
		for parity := range marked {
			if marked[parity][id] != (w&mark(parity) != 0) {
				return fmt.Errorf("id %d: mark of parity %d", id, parity)
			}
		}
		switch {
		case w.staged():
			c.seen[id] = true
		case w.free():
			free++
		case !c.seen[id]:
			return fmt.Errorf("id %d is at %x, not in the tree", id, w)
		}
	}
	for id := x.ids.freed; id != endOfFree; id = x.ids.at(id).index() {
		free--
	}
	if free != 0 || int(x.ids.used) < len(c.seen) {
		return fmt.Errorf("the chain of free ids is wrong by %d", free)
	}
	if got := inUse(&x.leaves); got != c.leaves {
		return fmt.Errorf("%d numbers of leaves for %d", got, c.leaves)
	}
	if got := inUse(&x.nodes); got != c.nodes {
		return fmt.Errorf("%d numbers of nodes for %d", got, c.nodes)
	}
	return nil
}

func inUse[T any](r *references[T]) int {
	n := int(r.used)
	for free := r.freed; free != none; free = r.at(free).parent {
		n--
	}
	return n
}

// hash checks that the table has each id once, where it is found.
func (c *checker) hash() error {
	x, n := c.x, 0
	var before *segment
	for i, s := range x.table.directory {
		if s == before {
			continue
		}
		before = s
		used := 0
		for _, slot := range s.slots {
			if slot == 0 {
				continue
			}
			used++
			name := string(x.AppendName(nil, slot.id()))
			if id, ok := x.Lookup(name); !ok || id != slot.id() || !c.seen[id] {
				return fmt.Errorf("%q: id %d is not found", name, slot.id())
			}
			if int(slot.hash()>>(32-x.table.depth)) != i && s.depth == x.table.depth {
				return fmt.Errorf("%q is in another segment", name)
			}
		}
		if used != s.used {
			return fmt.Errorf("a segment counts %d of %d", s.used, used)
		}
		n += used
	}
	if n != len(c.seen) || n != x.table.used {
		return fmt.Errorf("%d ids in the table, which counts %d, and %d in use", n, x.table.used, len(c.seen))
	}
	return nil
}
