package read

import (
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// indexTable is the table of the part of a block that is in its file, as the block's index has it.
type indexTable struct{ *blockReader }

func (t *indexTable) length() int { return t.index.Len() }

func (t *indexTable) search(sequence uint64) (int, error) {
	i, _, err := t.index.Ordinal(sequence)
	return i, err
}

func (t *indexTable) sequence(i int) (uint64, error) { return t.index.Sequence(i) }

func (t *indexTable) searchTime(from int, time int64) (int, error) {
	if t.sum.TimesAscend {
		i, err := t.index.SearchTime(time)
		return max(i, from), err
	}
	for i := from; i < t.index.Len(); i++ {
		if r, err := t.index.Record(i); err != nil || r.Time >= time {
			return i, err
		}
	}
	return t.index.Len(), nil
}

func (t *indexTable) mark(set *subject.Set, from, to int, members bitset) error {
	if set.All() {
		members.setRange(from, to)
		return nil
	}
	return t.each(set, from, to, func(c *blockindex.Cursor) error {
		i, ok, err := c.SeekAtLeast(from)
		for ; ok && i < to && err == nil; i, ok, err = c.Next() {
			members.set(i)
		}
		return err
	})
}

// each calls visit with the postings (the list of records) of each subject that a set selects and that may
// have records among from..to-1.
func (t *indexTable) each(set *subject.Set, from, to int, visit func(*blockindex.Cursor) error) error {
	var broken error
	err := t.index.Walk(set, func(rank uint32, _ []byte, info blockindex.SubjectInfo) bool {
		if info.Last < from || info.First >= to {
			return true
		}
		var c blockindex.Cursor
		if c, broken = t.index.Postings(rank); broken == nil {
			broken = visit(&c)
		}
		return broken == nil
	})
	if err == nil {
		err = broken
	}
	return err
}

func (t *indexTable) count(set *subject.Set, from, to int) (n uint64, err error) {
	if set.All() {
		return uint64(to - from), nil
	}
	if from == 0 && to == t.index.Len() {
		return t.index.Count(set)
	}
	err = t.each(set, from, to, func(c *blockindex.Cursor) error {
		if _, _, err := c.SeekAtLeast(from); err != nil {
			return err
		}
		before := c.Position()
		_, _, err := c.SeekAtLeast(to)
		n += uint64(c.Position() - before)
		return err
	})
	return n, err
}

func (t *indexTable) next(set *subject.Set, from, to int) (int, error) {
	if set.All() || from >= to {
		return min(from, to), nil
	}
	if _, exact := set.Exact(); !exact {
		near := min(to, from+probes)
		for ; from < near; from++ {
			if ok, err := t.matches(set, from); ok || err != nil {
				return from, err
			}
		}
	}
	found := to
	err := t.each(set, from, to, func(c *blockindex.Cursor) error {
		i, ok, err := c.SeekAtLeast(from)
		if ok {
			found = min(found, i)
		}
		return err
	})
	return found, err
}

func (t *indexTable) prev(set *subject.Set, from, to int) (int, error) {
	if set.All() || from >= to {
		return max(to, from) - 1, nil
	}
	if _, exact := set.Exact(); !exact {
		near := max(from, to-probes)
		for ; to > near; to-- {
			if ok, err := t.matches(set, to-1); ok || err != nil {
				return to - 1, err
			}
		}
	}
	found := from - 1
	err := t.each(set, from, to, func(c *blockindex.Cursor) error {
		i, ok, err := c.SeekAtMost(to - 1)
		if ok {
			found = max(found, i)
		}
		return err
	})
	return found, err
}

// matches reports whether a set selects record i.
func (t *indexTable) matches(set *subject.Set, i int) (bool, error) {
	r, err := t.index.Record(i)
	if err != nil || r.Subject == blockindex.EmptySubject {
		return false, err // only the set of everything selects the empty subject
	}
	var memory [64]byte
	name, err := t.index.Subject(r.Subject, memory[:0])
	return err == nil && set.Match(name), err
}

func (t *indexTable) ends(set *subject.Set, from, to int, visit func(name []byte, first, last int)) error {
	var broken error
	err := t.index.Walk(set, func(rank uint32, name []byte, info blockindex.SubjectInfo) bool {
		if rank == blockindex.EmptySubject || info.Last < from || info.First >= to {
			return true
		}
		first, last := info.First, info.Last
		if first < from || last >= to {
			var some bool
			if first, last, some, broken = t.endsOf(rank, from, to); broken != nil || !some {
				return broken == nil
			}
		}
		visit(name, first, last)
		return true
	})
	if err == nil {
		err = broken
	}
	return err
}

// endsOf returns the first and the last record of a subject among from..to-1.
func (t *indexTable) endsOf(rank uint32, from, to int) (first, last int, some bool, err error) {
	c, err := t.index.Postings(rank)
	if err != nil {
		return 0, 0, false, err
	}
	first, ok, err := c.SeekAtLeast(from)
	if err != nil || !ok || first >= to {
		return 0, 0, false, err
	}
	last, _, err = c.SeekAtMost(to - 1)
	return first, last, true, err
}

func (t *indexTable) entries(ordinals []int, into []blockindex.Record, pass *blockindex.Pass) error {
	return pass.Records(t.index, ordinals, into)
}

func (t *indexTable) bytes(i int, buffer *[]byte) ([]byte, int64, error) {
	return t.record(i, buffer, true)
}
