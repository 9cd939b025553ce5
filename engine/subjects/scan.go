package subjects

import "github.com/seed-d8b58eba/millrace/internal/subject"

// scan finds the subjects that match patterns, and passes them on many at a time: a sum
// is then a tight loop over entries, or over leaves where whole leaves match.
type scan struct {
	t *Tree
	p *subject.Pattern
	cursor
	// The names with the prefix of the pattern end in this leaf, at this position. In
	// the leaves before it all names have the prefix. Without a leaf, they go on to
	// the end of the tree.
	end   *leaf
	endAt int

	tokens           int
	atLeast, decides bool

	slots      [leafMax]uint8
	accepted   [leafMax]uint8
	name, next []byte
}

// visitor is told what a scan finds. Entries without messages may be among it. The
// scan ends early when it returns false.
type visitor struct {
	// whole takes leaves, side by side, of which every subject matches.
	whole func(leaves []*leaf) bool
	// some takes the slots of a leaf that match, at least one.
	some func(l *leaf, slots []uint8) bool
}

// each visits the matches of a set, each once.
func (t *Tree) each(set *subject.Set, v visitor) {
	s := scan{t: t}
	if set.Selective() {
		v = s.onlyAccepted(set, v)
	}
	patterns := set.Patterns()
	for i := range patterns {
		s.p = &patterns[i]
		goOn := false
		if overlaps(patterns[:i], &patterns[i]) {
			goOn = s.pattern(s.onlyFirsts(set, i, v))
		} else {
			goOn = s.pattern(v)
		}
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

// onlyFirsts returns a visitor that passes on the matches of pattern i that no pattern
// before it has had.
func (s *scan) onlyFirsts(set *subject.Set, i int, v visitor) visitor {
	some := func(l *leaf, slots []uint8) bool {
		kept := s.slots[:0]
		for _, slot := range slots {
			s.name = l.appendName(s.name[:0], slot)
			if set.First(i, s.name) {
				kept = append(kept, slot)
			}
		}
		return len(kept) == 0 || v.some(l, kept)
	}
	return visitor{some: some}.leafByLeaf()
}

// onlyAccepted returns a visitor that passes on the matches of patterns that are in a selective set.
func (s *scan) onlyAccepted(set *subject.Set, v visitor) visitor {
	return visitor{some: func(l *leaf, slots []uint8) bool {
		kept := s.accepted[:0]
		for _, slot := range slots {
			s.name = l.appendName(s.name[:0], slot)
			if set.Match(s.name) {
				kept = append(kept, slot)
			}
		}
		return len(kept) == 0 || v.some(l, kept)
	}}.leafByLeaf()
}

// pattern visits the matches of the pattern.
func (s *scan) pattern(v visitor) bool {
	if s.p.Exact() {
		return s.literal(v)
	}
	s.tokens, s.atLeast, s.decides = s.p.Depth()
	s.setEnd()
	s.next = append(s.next[:0], s.p.Prefix()...)
	l := s.seek(s.t, s.next)
	for from := s.lower(l); l != nil; {
		if run := s.run(l, from); len(run) > 0 {
			if !v.whole(run) {
				return false
			}
			l = s.cursor.skip(len(run))
			continue
		}
		to := l.len()
		if l == s.end {
			to = s.endAt
		}
		slots, skip := s.match(l, from, to)
		if len(slots) > 0 && !v.some(l, slots) {
			return false
		}
		if l == s.end || skip == nowhere || skip == seekNext && !s.inRange() {
			return true
		}
		if from = 0; skip == nextLeaf {
			l = s.cursor.skip(1)
		} else {
			l = s.seek(s.t, s.next)
			from = s.lower(l)
		}
	}
	return true
}

func (s *scan) literal(v visitor) bool {
	s.name = append(s.name[:0], s.p.String()...)
	l, slot, ok := s.t.find(s.name)
	if !ok {
		return true
	}
	s.slots[0] = slot
	return v.some(l, s.slots[:1])
}

// inRange reports whether s.next has the prefix of the pattern.
func (s *scan) inRange() bool {
	prefix := s.p.Prefix()
	return len(s.next) >= len(prefix) && string(s.next[:len(prefix)]) == prefix
}

// run returns the leaves from l on, in the same node, all of whose names match.
func (s *scan) run(l *leaf, from int) []*leaf {
	if !s.decides || from > 0 {
		return nil
	}
	step := &s.steps[s.depth-1]
	leaves := step.n.leaves[step.at:]
	for n, l := range leaves {
		if l == s.end || !s.wholly(l) {
			return leaves[:n]
		}
	}
	return leaves
}

// wholly reports whether all names of a leaf have a number of tokens that matches.
func (s *scan) wholly(l *leaf) bool {
	return int(l.minTokens) >= s.tokens && (s.atLeast || int(l.maxTokens) == s.tokens)
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

// skip tells where the scan goes on after a leaf.
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
	if s.wholly(l) {
		return slots, nextLeaf
	}
	kept := s.slots[:0]
	if int(l.maxTokens) >= s.tokens && (s.atLeast || int(l.minTokens) <= s.tokens) {
		for _, slot := range slots {
			if n := int(l.tokensOf(slot)); n == s.tokens || s.atLeast && n > s.tokens {
				kept = append(kept, slot)
			}
		}
	}
	if len(kept) > 0 {
		return kept, nextLeaf
	}
	// No name here matches, and there may be none for long: look where the next can be.
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

// follow is match for patterns whose tokens have to be compared. It skips names that
// cannot match.
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
