package subject

import "slices"

// Where returns the set of what a set matches and accept is true for. It never matches the empty subject. What
// the set names without wildcards is asked about at once; accept is called for the rest whenever somebody asks for
// a match, for each subject any number of times. It gets a name that is valid until it returns.
func (s Set) Where(accept func(subject []byte) bool) Set {
	if len(s.wild) == 0 && s.where == nil {
		return NewSet(slices.DeleteFunc(slices.Clone(s.patterns), func(p Pattern) bool { return !accept([]byte(p.text)) })...)
	}
	if before := s.where; before != nil {
		all := accept
		accept = func(subject []byte) bool { return before(subject) && all(subject) }
	}
	s.where = accept
	return s
}

// Selective reports whether the set matches less than its patterns do: only what Match says.
func (s *Set) Selective() bool { return s.where != nil }

// Union returns the set of what any of some sets matches.
func Union(sets ...Set) Set {
	var patterns []Pattern
	selective := false
	for i := range sets {
		if sets[i].All() {
			return Everything()
		}
		patterns = append(patterns, sets[i].patterns...)
		selective = selective || sets[i].Selective()
	}
	u := NewSet(patterns...)
	if selective {
		sets = slices.Clone(sets)
		u.where = func(subject []byte) bool {
			return slices.ContainsFunc(sets, func(s Set) bool { return s.Match(subject) })
		}
	}
	return u
}
