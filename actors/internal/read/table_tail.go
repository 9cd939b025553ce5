package read

import (
	"bytes"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// tailTable is the table of the part of a block that is in memory: of the records that the engine keeps
// of the block, those from first on.
type tailTable struct {
	block   *engine.BlockView
	records engine.Table
	first   int            // the records before it belong to the part in the file
	names   *subjects.Tree // knows the numbers of live subjects; may be nil
}

func (t *tailTable) length() int { return t.records.Len() - t.first }

func (t *tailTable) search(sequence uint64) (int, error) {
	return max(t.records.Search(sequence)-t.first, 0), nil
}

func (t *tailTable) sequence(i int) (uint64, error) { return t.records.Sequence(t.first + i), nil }

func (t *tailTable) searchTime(from int, time int64) (int, error) {
	return t.records.SearchTime(from+t.first, time) - t.first, nil
}

// matcher tells which records a set selects. A subject keeps its number as long as it has messages, so a
// set of a single subject compares numbers instead of names.
type matcher struct {
	table *tailTable
	set   *subject.Set
	exact bool
	id    uint32
}

func (t *tailTable) matcher(set *subject.Set) matcher {
	m := matcher{table: t, set: set}
	if name, ok := set.Exact(); ok && t.names != nil {
		info, live := t.names.Get(name)
		m.exact = true
		if m.id = info.ID; !live {
			m.id = noLiveSubject
		}
	}
	return m
}

// noLiveSubject is a number that no record has: it stands for a subject without messages.
const noLiveSubject = subjects.NoID - 1

func (m *matcher) match(i int) (bool, error) {
	if m.exact {
		return m.table.records.Subject(m.table.first+i) == m.id, nil
	}
	if m.set.All() {
		return true, nil
	}
	name, err := m.table.subject(i)
	return err == nil && m.set.Match(name), err
}

// subject returns the subject of record i.
func (t *tailTable) subject(i int) ([]byte, error) {
	r := t.records.At(t.first + i)
	record := t.block.Tail.Bytes(r.Offset, r.Size)
	if record == nil {
		return nil, errMemoryGone
	}
	return blockio.SubjectOf(record), nil
}

func (t *tailTable) mark(set *subject.Set, from, to int, members bitset) error {
	if set.All() {
		members.setRange(from, to)
		return nil
	}
	m := t.matcher(set)
	for i := from; i < to; i++ {
		ok, err := m.match(i)
		if err != nil {
			return err
		}
		if ok {
			members.set(i)
		}
	}
	return nil
}

func (t *tailTable) count(set *subject.Set, from, to int) (n uint64, err error) {
	if set.All() {
		return uint64(to - from), nil
	}
	m := t.matcher(set)
	for i := from; i < to; i++ {
		ok, err := m.match(i)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

func (t *tailTable) next(set *subject.Set, from, to int) (int, error) {
	m := t.matcher(set)
	for i := from; i < to; i++ {
		if ok, err := m.match(i); ok || err != nil {
			return i, err
		}
	}
	return to, nil
}

func (t *tailTable) prev(set *subject.Set, from, to int) (int, error) {
	m := t.matcher(set)
	for i := to - 1; i >= from; i-- {
		if ok, err := m.match(i); ok || err != nil {
			return i, err
		}
	}
	return from - 1, nil
}

func (t *tailTable) ends(set *subject.Set, from, to int, visit func(name []byte, first, last int)) error {
	m := t.matcher(set)
	type span struct{ first, last int }
	spans := make(map[string]*span)
	for i := from; i < to; i++ {
		ok, err := m.match(i)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		name, err := t.subject(i)
		if err != nil {
			return err
		}
		if s := spans[string(name)]; s != nil {
			s.last = i
		} else {
			spans[string(bytes.Clone(name))] = &span{i, i}
		}
	}
	for name, s := range spans {
		visit([]byte(name), s.first, s.last)
	}
	return nil
}

func (t *tailTable) entries(ordinals []int, into []blockindex.Record, _ *blockindex.Pass) error {
	for i, ordinal := range ordinals {
		r := t.records.At(t.first + ordinal)
		into[i] = blockindex.Record{Offset: r.Offset, Size: r.Size}
	}
	return nil
}

func (t *tailTable) bytes(i int, _ *[]byte) ([]byte, int64, error) {
	r := t.records.At(t.first + i)
	record := t.block.Tail.Bytes(r.Offset, r.Size)
	if record == nil {
		return nil, r.Offset, errMemoryGone
	}
	return record, r.Offset, nil
}
