package engine

// mostFew is how many subjects of a block are kept count of: a log of another program has as many as it has kinds of
// entries.
const mostFew = 4

// fewSubjects counts the messages that a block was given by their subjects, while those are few. It spares a compaction and
// a truncation to have the block's index read, see dropWhole and known. What is removed is not taken off: it is of use for
// a block of which nothing was removed.
type fewSubjects struct {
	list [mostFew]fewSubject
	n    int
}

// fewSubject is what a block has of a subject.
type fewSubject struct {
	removal        // all of it
	first   uint64 // sequence
	size    uint32 // of the last message
}

// countFew counts a message that is appended.
func (b *block) countFew(subject uint32, sequence uint64, size int) {
	f := b.few
	if f == nil || subject == noSubject {
		return
	}
	for i := range f.list[:f.n] {
		if r := &f.list[i]; r.subject == subject {
			r.count, r.sequence, r.size = r.count+1, sequence, uint32(size)
			return
		}
	}
	if f.n == mostFew {
		b.few = nil
		return
	}
	f.add(subject, nameSum{1, sequence, sequence, uint32(size)})
}

// fewOf returns what counts so many subjects of a block that was scanned, nil where they are too many.
func fewOf(subjects int) *fewSubjects {
	if subjects > mostFew {
		return nil
	}
	return new(fewSubjects)
}

// add adds a subject that is not among the others.
func (f *fewSubjects) add(subject uint32, sum nameSum) {
	if f != nil {
		f.list[f.n] = fewSubject{removal{subject, uint32(sum.count), sum.last}, sum.first, sum.size}
		f.n++
	}
}

// eachSubject calls visit for each subject of a block of which nothing was removed, with what goes if all of it does. t has
// them, unless the block has kept count.
func (e *Engine) eachSubject(b *block, t *Table, visit func(removal)) {
	if f := b.few; f != nil {
		for i := range f.list[:f.n] {
			visit(f.list[i].removal)
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
