package blockindex

import "github.com/seed-d8b58eba/millrace/internal/subject"

// Walk calls visit for every subject that a set of patterns matches, in byte order,
// each once, until it is false. The empty subject, which only a set that matches
// everything matches, comes first, with EmptySubject for its rank. name is valid during
// the call only.
//
// It goes from match to match: what lies between is skipped where the patterns allow
// it. The error wraps ErrDamaged; subjects that were visited before it are right.
func (x *Index) Walk(set *subject.Set, visit func(rank uint32, name []byte, info SubjectInfo) bool) error {
	if set.All() && x.header.sum.Empty > 0 {
		info, err := x.emptyInfo()
		if err != nil || !visit(EmptySubject, nil, info) {
			return err
		}
	}
	if set.Selective() {
		all := visit
		visit = func(rank uint32, name []byte, info SubjectInfo) bool {
			return !set.Match(name) || all(rank, name, info)
		}
	}
	var name []byte
	return x.ranges(set, func(r rankRange) (more bool, err error) {
		name, more, err = x.visitRange(r, name, visit)
		return more, err
	})
}

// Count returns how many messages have a subject that a set of patterns matches. Where
// a pattern takes all subjects that begin alike, it does not look at them. The error
// wraps ErrDamaged.
func (x *Index) Count(set *subject.Set) (messages uint64, err error) {
	if set.All() {
		return uint64(x.Len()), nil
	}
	if set.Selective() {
		err = x.Walk(set, func(_ uint32, _ []byte, info SubjectInfo) bool {
			messages += uint64(info.Count)
			return true
		})
		return messages, err
	}
	err = x.ranges(set, func(r rankRange) (bool, error) {
		from, err := x.postingsFrom(r.from)
		if err != nil {
			return false, err
		}
		to, err := x.postingsFrom(r.to)
		if err == nil && to < from {
			err = damaged("postings that go back", to)
		}
		messages += uint64(to - from)
		return true, err
	})
	return messages, err
}

// postingsFrom is where the postings of the subjects from a rank on begin.
func (x *Index) postingsFrom(rank uint32) (uint32, error) {
	s := &x.header.sum
	if rank == uint32(s.Subjects) {
		return uint32(s.Messages - s.Empty), nil
	}
	page, i, err := x.rankPage(rank)
	if err != nil {
		return 0, err
	}
	return dictEntryAt(page, i).start(), nil
}

// A rankRange is the subjects from a rank up to, and without, another.
type rankRange struct{ from, to uint32 }

// visitRange visits the subjects of a range. name is a buffer, which it returns.
func (x *Index) visitRange(r rankRange, name []byte, visit func(uint32, []byte, SubjectInfo) bool) (_ []byte, more bool, err error) {
	for rank := r.from; rank < r.to; {
		page, i, err := x.rankPage(rank)
		if err != nil {
			return name, false, err
		}
		prefix := prefixOf(page)
		name = append(name[:0], prefix...)
		end := min(dictCount(page), i+r.to-rank)
		for ; i < end; i, rank = i+1, rank+1 {
			if name, err = x.appendRest(name[:len(prefix)], page, i); err != nil {
				return name, false, err
			}
			if !visit(rank, name, infoAt(page, i)) {
				return name, false, nil
			}
		}
	}
	return name, true, nil
}

// ranges returns the ranges of subjects that a set matches, ascending, until visit is
// false. The literal patterns of a set match nothing that its others match, so the two
// are merged like sorted lists.
func (x *Index) ranges(set *subject.Set, visit func(rankRange) (bool, error)) error {
	n := uint32(x.header.sum.Subjects)
	if n == 0 {
		return nil
	}
	if set.All() {
		_, err := visit(rankRange{0, n})
		return err
	}
	literals, wild := literalWalk{x: x}, wildWalk{x: x, patterns: set.Wild()}
	for i, patterns := 0, set.Patterns(); i < len(patterns); i++ {
		if p := &patterns[i]; p.Exact() {
			literals.texts = append(literals.texts, p.String())
		}
	}
	one, hasOne, err := literals.next()
	if err != nil {
		return err
	}
	many, hasMany, err := wild.next()
	for err == nil && (hasOne || hasMany) {
		r := many
		if !hasMany || hasOne && one.from < many.from {
			r = one
			one, hasOne, err = literals.next()
		} else {
			many, hasMany, err = wild.next()
		}
		if err != nil {
			return err
		}
		var more bool
		if more, err = visit(r); !more {
			return err
		}
	}
	return err
}

// A literalWalk goes over the literal patterns of a set that the block has.
type literalWalk struct {
	x     *Index
	texts []string // sorted
	key   []byte
}

func (w *literalWalk) next() (r rankRange, ok bool, err error) {
	for len(w.texts) > 0 {
		w.key = append(w.key[:0], w.texts[0]...)
		w.texts = w.texts[1:]
		rank, found, err := w.x.lowerBound(w.key)
		if err != nil || found {
			return rankRange{rank, rank + 1}, found, err
		}
	}
	return rankRange{}, false, nil
}

// A wildWalk goes over what the patterns with wildcards of a set match.
type wildWalk struct {
	x        *Index
	patterns subject.Wild
	rank     uint32 // what is below is done
	page     *[PageSize]byte
	name     []byte
	key      []byte
}

// load makes page the one that the rank is in, and name its subject. It returns the
// entry in the page.
func (w *wildWalk) load() (i uint32, err error) {
	if w.page == nil || w.rank < firstRank(w.page) || w.rank-firstRank(w.page) >= dictCount(w.page) {
		if w.page, _, err = w.x.rankPage(w.rank); err != nil {
			return 0, err
		}
	}
	i = w.rank - firstRank(w.page)
	w.name, err = w.x.appendRest(append(w.name[:0], prefixOf(w.page)...), w.page, i)
	return i, err
}

// next returns the next range of matches.
func (w *wildWalk) next() (r rankRange, ok bool, err error) {
	for n := uint32(w.x.header.sum.Subjects); !w.patterns.None() && w.rank < n; {
		i, err := w.load()
		if err != nil {
			return rankRange{}, false, err
		}
		from := w.rank
		if length, whole := w.patterns.Whole(w.name); whole {
			// Everything up to what comes after the prefix, which ends in a dot.
			w.key = append(append(w.key[:0], w.name[:length-1]...), '.'+1)
			err = w.skipTo(i, w.key)
			return rankRange{from, w.rank}, err == nil, err
		}
		if w.patterns.Match(w.name) {
			w.rank++
			return rankRange{from, w.rank}, true, nil
		}
		var more bool
		if w.key, more = w.patterns.Next(w.key[:0], w.name); !more {
			break
		}
		if err = w.skipTo(i, w.key); err != nil {
			return rankRange{}, false, err
		}
	}
	w.rank = uint32(w.x.header.sum.Subjects)
	return rankRange{}, false, nil
}

// skipTo goes to the first subject at or after a key, which is after the one at hand,
// entry i of the page. Where it is not in the same page, it is looked up.
func (w *wildWalk) skipTo(i uint32, key []byte) error {
	next, _, err := w.x.seek(w.page, i+1, key)
	if err != nil {
		return err
	}
	if next < dictCount(w.page) {
		w.rank = firstRank(w.page) + next
		return nil
	}
	rank, _, err := w.x.lowerBound(key)
	if err == nil && rank <= w.rank {
		err = damaged("order of subjects", rank)
	}
	w.rank = rank
	return err
}
