package subject

import (
	"cmp"
	"slices"
	"strings"
)

// Set is a set of patterns; it matches what any of them matches. The zero Set
// matches nothing. It is immutable. See Where for one that does more than match patterns.
type Set struct {
	all      bool
	patterns []Pattern // sorted by text, none covered by another
	literals map[string]struct{}
	wild     []Pattern                 // those that are no literals, sorted by prefix
	trie     *trie                     // of wild, if they are several
	where    func(subject []byte) bool // what the patterns match has to be accepted by this, too; nil accepts all
}

// everything is shared by all who ask for it: nobody changes a set.
var everything = Set{all: true, patterns: []Pattern{{}}, wild: []Pattern{{}}}

// Everything is the set that matches every message.
func Everything() Set { return everything }

// manyLiterals is from where on a set looks literals up in a map.
const manyLiterals = 8

// NewSet returns the set of some patterns, which it does not keep.
func NewSet(patterns ...Pattern) Set {
	var s Set
	if len(patterns) == 1 && patterns[0].exact {
		s.patterns = []Pattern{patterns[0]}
		return s
	}
	for i := range patterns {
		if patterns[i].All() {
			return Everything()
		}
		if !patterns[i].exact {
			s.wild = append(s.wild, patterns[i])
		}
	}
	s.leastCover()
	s.patterns = slices.Clone(s.wild)
	for i := range patterns {
		if p := &patterns[i]; p.exact && !s.matchWild([]byte(p.text)) {
			s.patterns = append(s.patterns, *p)
		}
	}
	slices.SortFunc(s.patterns, func(a, b Pattern) int { return strings.Compare(a.text, b.text) })
	s.patterns = slices.CompactFunc(s.patterns, func(a, b Pattern) bool { return a.text == b.text && a.exact == b.exact })
	if len(s.patterns)-len(s.wild) >= manyLiterals {
		s.literals = make(map[string]struct{}, len(s.patterns))
		for i := range s.patterns {
			if s.patterns[i].exact {
				s.literals[s.patterns[i].text] = struct{}{}
			}
		}
	}
	return s
}

// leastCover drops patterns with wildcards that others cover, and sorts them.
func (s *Set) leastCover() {
	slices.SortFunc(s.wild, func(a, b Pattern) int {
		return cmp.Or(strings.Compare(a.prefix, b.prefix), strings.Compare(a.text, b.text))
	})
	s.wild = slices.CompactFunc(s.wild, func(a, b Pattern) bool { return a.text == b.text })
	if len(s.wild) < 2 {
		return
	}
	all := newTrie(s.wild)
	n := len(s.wild)
	s.wild = slices.DeleteFunc(s.wild, func(p Pattern) bool { return all.covers(p.tokens, p.more, true) })
	switch {
	case len(s.wild) == n:
		s.trie = all
	case len(s.wild) > 1:
		s.trie = newTrie(s.wild)
	}
}

// All reports whether the set matches everything.
func (s *Set) All() bool { return s.all && s.where == nil }

// None reports whether the set matches nothing.
func (s *Set) None() bool { return len(s.patterns) == 0 }

// Patterns returns the patterns, sorted, without those that others cover. Two of
// them may still match the same subject, and in a set that is Selective not all that
// they match is in the set. The slice must not be changed.
func (s *Set) Patterns() []Pattern { return s.patterns }

// Exact returns the only subject that the set matches, if there is only one.
func (s *Set) Exact() (string, bool) {
	if len(s.patterns) == 1 && s.patterns[0].exact && s.where == nil {
		return s.patterns[0].text, true
	}
	return "", false
}

// Match reports whether a subject matches.
func (s *Set) Match(subject []byte) bool {
	if s.where == nil {
		return s.matchPatterns(subject)
	}
	return len(subject) > 0 && s.matchPatterns(subject) && s.where(subject)
}

func (s *Set) matchPatterns(subject []byte) bool {
	if s.literals != nil {
		if _, ok := s.literals[string(subject)]; ok {
			return true
		}
	} else if len(s.patterns) > len(s.wild) {
		for i := range s.patterns {
			if p := &s.patterns[i]; p.exact && string(subject) == p.text {
				return true
			}
		}
	}
	return s.matchWild(subject)
}

func (s *Set) matchWild(subject []byte) bool {
	w := s.Wild()
	return w.Match(subject)
}
