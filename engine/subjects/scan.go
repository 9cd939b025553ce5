package subjects

import "github.com/seed-d8b58eba/millrace/internal/subject"

// scan finds the subjects that match patterns, and passes them on many at a time: a sum
// is then a tight loop over entries, or over leaves where whole leaves match.
type scan struct {
	t    *Tree
	wild subject.Wild
	// prefix is what the names begin with that are looked at; among them wild is as good as the patterns of a group.
	prefix string
	cursor
	// The names with the prefix end in this leaf, at this position. In
	// the leaves before it all names have the prefix. Without a leaf, they go on to
	// the end of the tree.
	end   *leaf
	endAt int

	tokens           int
	atLeast, decides bool

	until int // how many leaves until somebody is asked whether to stop

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
	s := scan{t: t, wild: set.Wild(), until: leavesUntilStop}
	if set.Selective() {
		v = s.onlyAccepted(set, v)
	}
	if !set.Groups(func(group []subject.Pattern) bool { return s.group(group, v) }) {
		return
	}
	patterns := set.Patterns()
	for i := range patterns {
		if patterns[i].Exact() && (s.stopped() || !s.literal(patterns[i].String(), v)) {
			return
		}
	}
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

// group visits the matches of patterns with wildcards that may match the same: in one pass.
func (s *scan) group(patterns []subject.Pattern, v visitor) bool {
	s.prefix, s.decides = patterns[0].Prefix(), false
	if len(patterns) == 1 {
		s.tokens, s.atLeast, s.decides = patterns[0].Depth()
	}
	s.setEnd()
	s.next = append(s.next[:0], s.prefix...)
	l := s.seek(s.t, s.next)
	for from := s.lower(l); l != nil; {
		if s.stopped() {
			return false
		}
		if run := s.run(l, from); len(run) > 0 {
			s.until -= len(run)
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

// leavesUntilStop is how many leaves a scan looks at before it asks again whether to stop: a fraction of a millisecond.
const leavesUntilStop = 64

// stopped reports whether nobody waits for the scan any more. It is called for each leaf.
func (s *scan) stopped() bool {
	if s.until--; s.until > 0 || s.t.stop == nil {
		return false
	}
	s.until = leavesUntilStop
	return s.t.stop()
}

func (s *scan) literal(text string, v visitor) bool {
	l, slot, ok := s.t.find(text)
	if !ok {
		return true
	}
	s.slots[0] = slot
	return v.some(l, s.slots[:1])
}

// inRange reports whether s.next has the prefix.
func (s *scan) inRange() bool {
	return len(s.next) >= len(s.prefix) && string(s.next[:len(s.prefix)]) == s.prefix
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

// setEnd finds the end of the range of names with the prefix.
func (s *scan) setEnd() {
	s.end, s.endAt = nil, 0
	s.next = append(s.next[:0], s.prefix...)
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
	if s.next, ok = s.wild.Next(s.next[:0], s.name); !ok {
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
		if s.wild.Match(s.name) {
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
