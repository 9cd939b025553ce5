package subjects

import (
	"maps"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// Tree is all subjects at one instant. Its methods may be called from any goroutine
// once the tree is frozen: they write nothing.
type Tree struct {
	epoch    uint64
	seed     uint64 // of the hashes that the leaves have hints of
	root     *node
	live     int
	messages uint64
	// over has the counts that do not fit into an entry. Like a leaf, it is of an
	// epoch, and is copied before it is changed in a later one.
	over      map[uint32]uint64
	overEpoch uint64
	stop      func() bool // see Until; nil never stops
}

// Until returns the tree for somebody who may stop waiting for an answer: while Walk, Total, Pending and More go
// through leaves, they call stop every few of them, and end early once it returns true. What they return then means
// nothing.
func (t *Tree) Until(stop func() bool) Tree {
	until := *t
	until.stop = stop
	return until
}

// Len returns how many subjects have live messages.
func (t *Tree) Len() int { return t.live }

// Messages returns how many live messages all subjects have.
func (t *Tree) Messages() uint64 { return t.messages }

func countOf(e *entry, over map[uint32]uint64) uint64 {
	if e.count == many {
		return over[e.id()]
	}
	return uint64(e.count)
}

// setCount sets the count of an entry, in a tree that header returned.
func (t *Tree) setCount(e *entry, count uint64) {
	if count < many && e.count != many {
		e.count = uint32(count)
		return
	}
	if t.overEpoch != t.epoch {
		t.over, t.overEpoch = maps.Clone(t.over), t.epoch
	}
	if count < many {
		e.count = uint32(count)
		delete(t.over, e.id())
		return
	}
	if t.over == nil {
		t.over = make(map[uint32]uint64)
	}
	e.count = many
	t.over[e.id()] = count
}

func (t *Tree) info(e *entry) Info { return e.info(countOf(e, t.over)) }

// Get returns what is known of a subject.
func (t *Tree) Get(subject string) (Info, bool) {
	l, slot, ok := t.find(subject)
	if !ok {
		return Info{}, false
	}
	return t.info(&l.entries[slot]), true
}

// leafFor returns the leaf that a name belongs to; nil if the tree is empty.
func (t *Tree) leafFor(name []byte) *leaf {
	n := t.root
	for n.nodes != nil {
		n = n.nodes[n.fence.find(name)]
	}
	if len(n.leaves) == 0 {
		return nil
	}
	return n.leaves[n.fence.find(name)]
}

// find returns where a subject with live messages is.
func (t *Tree) find(subject string) (l *leaf, slot uint8, ok bool) {
	if l = t.leafFor(bytesOf(subject)); l == nil {
		return nil, 0, false
	}
	if slot, ok = l.slotOf(subject, hintOf(t.hash(subject))); !ok {
		return nil, 0, false
	}
	return l, slot, l.entries[slot].count > 0
}

func (t *Tree) hash(subject string) uint32 { return seedhash.Sum(t.seed, subject) }

// bytesOf returns the bytes of a text, which are only to be read.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// maxDepth is more levels than a tree can get: a new root needs thirty-two times as
// many splits of nodes as the one before.
const maxDepth = 14

// cursor is a way from the root to a leaf.
type cursor struct {
	depth int
	steps [maxDepth]struct {
		n  *node
		at int
	}
}

// seek goes to the leaf that a name belongs to; nil if the tree is empty.
func (c *cursor) seek(t *Tree, name []byte) *leaf {
	c.depth = 0
	for n := t.root; ; {
		at := n.fence.find(name)
		c.steps[c.depth].n, c.steps[c.depth].at = n, at
		c.depth++
		if n.nodes == nil {
			if len(n.leaves) == 0 {
				return nil
			}
			return n.leaves[at]
		}
		n = n.nodes[at]
	}
}

// skip goes on by some leaves, of which only the last may be in another node than the
// one where the cursor is; nil at the end.
func (c *cursor) skip(n int) *leaf {
	step := &c.steps[c.depth-1]
	if step.at += n; step.at < len(step.n.leaves) {
		return step.n.leaves[step.at]
	}
	for level := c.depth - 2; level >= 0; level-- {
		step := &c.steps[level]
		if step.at++; step.at == len(step.n.nodes) {
			continue
		}
		for n := step.n.nodes[step.at]; ; n = n.nodes[0] {
			level++
			c.steps[level].n, c.steps[level].at = n, 0
			if n.nodes == nil {
				return n.leaves[0]
			}
		}
	}
	return nil
}
