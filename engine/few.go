package engine

// mostFew is how many subjects of a block are kept count of: a log of another program has as many as it has kinds of
// entries.
const mostFew = 4

// fewSubjects counts the messages that were appended to a block by their subjects, while those are few. It spares a
// compaction to have the block's index read, see dropWhole. What is removed is not taken off: it is of use for a block of which
// nothing was removed.
type fewSubjects struct {
	list [mostFew]removal
	n    int
}

// countFew counts a message that is appended. Of a block that recovery has found, nil is kept: what is in it already is
// not counted.
func (b *block) countFew(subject uint32, sequence uint64) {
	f := b.few
	if f == nil || subject == noSubject {
		return
	}
	for i := range f.list[:f.n] {
		if r := &f.list[i]; r.subject == subject {
			r.count, r.sequence = r.count+1, sequence
			return
		}
	}
	if f.n == mostFew {
		b.few = nil
		return
	}
	f.list[f.n] = removal{subject, 1, sequence}
	f.n++
}

// eachSubject calls visit for each subject of a block of which nothing was removed, with what goes if all of it does. t has
// them, unless the block has kept count.
func (e *Engine) eachSubject(b *block, t *Table, visit func(removal)) {
	if f := b.few; f != nil {
		for _, r := range f.list[:f.n] {
			visit(r)
		}
		return
	}
	for i := range t.names.list {
		sum := &t.names.list[i]
		if id := t.names.lookUp(e.subjects, uint32(i)); id != noSubject {
			visit(removal{id, uint32(sum.count), sum.last})
		}
	}
}
