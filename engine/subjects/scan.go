package subjects

import (
	"bytes"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// scan finds the subjects that match patterns, a leaf at a time: who asks for sums
// has a tight loop over entries, and none at all where the whole leaf matches.
type scan struct {
	t *Tree
	p *subject.Pattern
	cursor
	// The range of names with the prefix of the pattern ends in this leaf and there.
	// Leaves in between need no look at their names. No leaf: there is no end.
	end   *leaf
	endAt int

	tokens           int
	atLeast, decides bool

	slots      [leafMax]uint8
	name, next []byte
}

// each visits all leaves with matches of a set, some leaves more than once. slots are
// those of the matches, never empty; all says that every slot of the leaf is in them.
// Entries without messages may be among them. It ends early when visit says so.
func (t *Tree) each(set *subject.Set, visit func(l *leaf, slots []uint8) bool) {
	s := scan{t: t}
	patterns := set.Patterns()
	for i := range patterns {
		again := overlaps(patterns[:i], &patterns[i])
		s.p = &patterns[i]
		goOn := s.pattern(func(l *leaf, slots []uint8) bool {
			if again {
				slots = s.firsts(set, i, l, slots)
			}
			return len(slots) == 0 || visit(l, slots)
		})
		if !goOn {
			return
		}
	}
}

// overlaps reports whether one of some patterns may match what p matches. A set has
// no literals that another of its patterns matches.
func overlaps(others []subject.Pattern, p *subject.Pattern) bool {
	if p.Exact() {
		return false
	}
	for i := range others {
		a, b := others[i].Prefix(), p.Prefix()
		if n := min(len(a), len(b)); !others[i].Exact() && a[:n] == b[:n] {
			return true
		}
	}
	return false
}

// firsts keeps the matches of pattern i that no pattern before it has had.
func (s *scan) firsts(set *subject.Set, i int, l *leaf, slots []uint8) []uint8 {
	kept := s.slots[:0]
	for _, slot := range slots {
		s.name = l.appendName(s.name[:0], slot)
		if set.First(i, s.name) {
			kept = append(kept, slot)
		}
	}
	return kept
}

// pattern visits the leaves with matches of the pattern.
func (s *scan) pattern(visit func(l *leaf, slots []uint8) bool) bool {
	if s.p.Exact() {
		s.name = append(s.name[:0], s.p.String()...)
		l, slot, ok := s.t.find(s.name)
		if ok {
			s.slots[0] = slot
		}
		return !ok || visit(l, s.slots[:1])
	}
	s.tokens, s.atLeast, s.decides = s.p.Depth()
	s.setEnd()
	s.next = append(s.next[:0], s.p.Prefix()...)
	l := s.seek(s.t, s.next)
	for from := s.lower(l); l != nil; {
		to := l.len()
		if l == s.end {
			to = s.endAt
		}
		slots, skip := s.match(l, from, to)
		if len(slots) > 0 && !visit(l, slots) {
			return false
		}
		if l == s.end || skip == nowhere {
			return true
		}
		from = 0
		if skip == nextLeaf {
			l = s.cursor.next()
			continue
		}
		if !bytes.HasPrefix(s.next, []byte(s.p.Prefix())) {
			return true
		}
		l = s.seek(s.t, s.next)
		from = s.lower(l)
	}
	return true
}

// lower returns the position of the first name in a leaf that is not before s.next.
func (s *scan) lower(l *leaf) int {
	if l == nil {
		return 0
	}
	position, _ := l.search(s.next, 0)
	return position
}

// setEnd finds the end of the range of names with the prefix of the pattern.
func (s *scan) setEnd() {
	s.end, s.endAt = nil, 0
	s.next = append(s.next[:0], s.p.Prefix()...)
	for len(s.next) > 0 && s.next[len(s.next)-1] == 0xff {
		s.next = s.next[:len(s.next)-1]
	}
	if len(s.next) == 0 {
		return
	}
	s.next[len(s.next)-1]++
	s.end = s.seek(s.t, s.next)
	s.endAt = s.lower(s.end)
}

// skip says where the scan goes on behind a leaf.
type skip int

const (
	nextLeaf skip = iota
	seekNext      // at the first name that is not before scan.next
	nowhere
)

// match returns which slots of a leaf match, between two positions in its order whose
// names all have the prefix.
func (s *scan) match(l *leaf, from, to int) ([]uint8, skip) {
	slots := l.order[from:max(from, to)]
	if len(slots) == 0 {
		return nil, nextLeaf
	}
	if !s.decides {
		return s.follow(l, from, to)
	}
	least, most := int(l.minTokens), int(l.maxTokens)
	if least >= s.tokens && (s.atLeast || most == s.tokens) {
		return slots, nextLeaf
	}
	kept := s.slots[:0]
	if most >= s.tokens && (s.atLeast || least <= s.tokens) {
		for _, slot := range slots {
			if n := int(l.tokensOf(slot)); n == s.tokens || s.atLeast && n > s.tokens {
				kept = append(kept, slot)
			}
		}
	}
	if len(kept) > 0 {
		return kept, nextLeaf
	}
	// Nothing here: there may be nothing far beyond.
	s.name = l.appendName(s.name[:0], slots[len(slots)-1])
	return nil, s.skipFrom()
}

// skipFrom sets s.next to the next name that can match from s.name on.
func (s *scan) skipFrom() skip {
	var ok bool
	if s.next, ok = s.p.Next(s.next[:0], s.name); !ok {
		return nowhere
	}
	return seekNext
}

// follow is match where tokens have to be compared. It skips what cannot match.
func (s *scan) follow(l *leaf, from, to int) ([]uint8, skip) {
	kept := s.slots[:0]
	s.name = append(s.name[:0], l.lead()...)
	for i := from; i < to; {
		slot := l.order[i]
		s.name = append(s.name[:l.prefix], l.rest(slot)...)
		if s.p.Match(s.name) {
			kept = append(kept, slot)
			i++
			continue
		}
		if s.skipFrom() == nowhere {
			return kept, nowhere
		}
		if i, _ = l.search(s.next, i+1); i == l.len() {
			return kept, seekNext
		}
	}
	return kept, nextLeaf
}
