package subject

import "strings"

// Wild is the patterns with wildcards of a set, as one: see Set.Wild. The zero Wild matches nothing.
type Wild struct {
	one  *Pattern
	many *trie
}

// Wild returns the patterns of the set that have wildcards. A question about them costs about as much for many
// patterns as for one.
func (s *Set) Wild() Wild {
	w := Wild{many: s.trie}
	if len(s.wild) == 1 {
		w.one = &s.wild[0]
	}
	return w
}

// None reports whether there is no pattern.
func (w *Wild) None() bool { return w.one == nil && w.many == nil }

// Match reports whether a pattern matches a subject.
func (w *Wild) Match(subject []byte) bool {
	if w.many != nil {
		return len(subject) > 0 && w.many.match(subject)
	}
	return w.one != nil && w.one.Match(subject)
}

// Next returns a text after a subject that does not match, with no match between the two, or false when none comes
// after it. It appends to into. See Pattern.Next.
func (w *Wild) Next(into, subject []byte) ([]byte, bool) {
	if w.many == nil {
		return w.one.Next(into, subject)
	}
	b := w.many.next(subject, 0)
	if !b.ok {
		return into, false
	}
	return append(append(into, subject[:b.at]...), b.text...), true
}

// Whole returns how many bytes at the beginning of a subject make everything that begins with them match, or false
// if it takes more than them. They end in a dot.
func (w *Wild) Whole(subject []byte) (length int, ok bool) {
	if w.many != nil {
		return w.many.whole(subject)
	}
	if w.one == nil {
		return 0, false
	}
	tokens, atLeast, decides := w.one.Depth()
	prefix := w.one.prefix
	ok = atLeast && decides && prefix != "" && strings.Count(prefix, ".")+1 == tokens
	return len(prefix), ok && len(subject) >= len(prefix) && string(subject[:len(prefix)]) == prefix
}

// Groups returns the patterns with wildcards in groups, such that no subject is matched by patterns of two of them.
// What a group matches begins with its Prefix, and all that Wild matches and that begins so is of the group. The
// slices must not be changed.
func (s *Set) Groups(visit func(group []Pattern) bool) bool {
	for rest := s.wild; len(rest) > 0; {
		n := 1
		for n < len(rest) && strings.HasPrefix(rest[n].prefix, rest[0].prefix) {
			n++
		}
		if !visit(rest[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}
