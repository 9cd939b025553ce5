package engine

import "github.com/seed-d8b58eba/millrace/engine/subjects"

// noSubject is the number of the empty subject, which is not tracked.
const noSubject = subjects.NoID

// Table lists the message records of one block in order of sequence. The table
// of the tail block grows as the engine appends; those of older blocks come from
// the shell, scanned off the engine's turn, when a limit is about to reach them.
type Table struct {
	chunks []*slotChunk
	n      int
	// names and ids translate the subject numbers of a scanned table, which are
	// its own, to the engine's. A table that the engine filled has neither.
	names []string
	ids   []uint32
	// perName sums up the records of each own subject number.
	perName []nameSum
	index   map[string]uint32
}

// nameSum is what a block holds of one subject: how many messages, the sequences of
// the first and the last, and the size of the last.
type nameSum struct {
	count, first, last uint64
	size               uint32
}

// unresolved marks a subject number that was not looked up yet.
const unresolved = noSubject - 1

// newScannedTable returns an empty table for a block that is being scanned.
func newScannedTable() *Table { return &Table{index: make(map[string]uint32)} }

// Len returns the number of records.
func (t *Table) Len() int { return t.n }

// Record returns the sequence, place and size of record i.
func (t *Table) Record(i int) (sequence uint64, offset int64, size int) {
	c, at := t.chunks[i/slotsPerChunk], i%slotsPerChunk
	return c[at].sequence, int64(c[at].offset), int(c[at].size)
}

// Search returns the index of the first record at or after sequence.
func (t *Table) Search(sequence uint64) int { return findSlot(t.chunks, t.n, sequence) }

// add appends a record; the chunk for it must exist.
func (t *Table) add(sequence uint64, time int64, offset int64, size int, subject uint32) {
	c, at := t.chunks[t.n/slotsPerChunk], t.n%slotsPerChunk
	c[at].sequence, c[at].time = sequence, time
	c[at].offset, c[at].size, c[at].subject = uint32(offset), uint32(size), subject
	t.n++
}

// scanned appends a record of a block that is being scanned.
func (t *Table) scanned(sequence uint64, time int64, offset int64, size int, subject []byte) {
	if t.n == len(t.chunks)*slotsPerChunk {
		t.chunks = append(t.chunks, new(slotChunk))
	}
	id := noSubject
	if len(subject) > 0 {
		known, ok := t.index[string(subject)]
		if !ok {
			name := string(subject)
			known = uint32(len(t.names))
			t.names, t.perName = append(t.names, name), append(t.perName, nameSum{first: sequence})
			t.index[name] = known
		}
		sum := &t.perName[known]
		sum.count, sum.last, sum.size = sum.count+1, sequence, uint32(size)
		id = known
	}
	t.add(sequence, time, offset, size, id)
}

// subjectOf returns the engine's number for the subject of record i.
func (t *Table) subjectOf(index *subjects.Index, i int) uint32 {
	own := t.chunks[i/slotsPerChunk][i%slotsPerChunk].subject
	if t.names == nil || own == noSubject {
		return own
	}
	if t.ids == nil {
		t.ids = make([]uint32, len(t.names))
		for j := range t.ids {
			t.ids[j] = unresolved
		}
	}
	if t.ids[own] == unresolved {
		// While the table lists a live message of the subject, its number stays.
		id, ok := index.Lookup(t.names[own])
		if !ok {
			return noSubject
		}
		t.ids[own] = id
	}
	return t.ids[own]
}

func (t *Table) sequenceAt(i int) uint64 { return slotSequence(t.chunks, i) }
func (t *Table) timeAt(i int) int64      { return t.chunks[i/slotsPerChunk][i%slotsPerChunk].time }
func (t *Table) sizeAt(i int) uint64     { return uint64(t.chunks[i/slotsPerChunk][i%slotsPerChunk].size) }
