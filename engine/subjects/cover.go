package subjects

import (
	"bytes"
	"strings"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Covered reports whether a set is plainly all there is: one of its patterns asks for nothing but what the names begin with, and
// the first and the last of all names begin so. It takes the time of two look-ups. A set that is not plain may match every
// subject all the same.
func (t *Tree) Covered(set *subject.Set) bool {
	if set.Selective() || t.live == 0 {
		return false
	}
	if set.All() {
		return true
	}
	var room [2][64]byte
	var first, last []byte
	patterns := set.Patterns()
	for i := range patterns {
		p := &patterns[i]
		prefix := p.Prefix()
		tokens, atLeast, decides := p.Depth()
		if !decides || !atLeast || tokens != strings.Count(prefix, ".")+1 {
			continue
		}
		if first == nil {
			l := t.end(func(int) int { return 0 })
			first = l.appendName(room[0][:0], l.order[0])
			l = t.end(func(n int) int { return n - 1 })
			last = l.appendName(room[1][:0], l.order[l.len()-1])
		}
		if bytes.HasPrefix(first, []byte(prefix)) && bytes.HasPrefix(last, []byte(prefix)) {
			return true
		}
	}
	return false
}

// end returns the first or the last leaf, of a tree with subjects: choose picks one of n children.
func (t *Tree) end(choose func(n int) int) *leaf {
	n := t.root
	for n.nodes != nil {
		n = n.nodes[choose(len(n.nodes))]
	}
	return n.leaves[choose(len(n.leaves))]
}
