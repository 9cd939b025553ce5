package engine

import (
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// tableNames are the subjects of a scanned table, by the numbers that it gave them,
// in order of their first record.
type tableNames struct {
	list []scannedName
	// ids are the numbers that the subject index has for them, once one was asked
	// for.
	ids    []uint32
	lookup *nameLookup // while the block is being scanned
	// given has, by the numbers that whoever scans has given the subjects, one more than those of this table.
	given []uint32
}

// scannedName is a subject of a block, and what the block holds of it. A scan goes from record to
// record through as many of them as there are, so what it needs of one lies together.
type scannedName struct {
	name string
	nameSum
	hash uint32 // of the name
}

// nameSum is what a block holds of one subject: how many messages, the sequences of
// the first and the last, and the size of the last.
type nameSum struct {
	count, first, last uint64
	size               uint32
}

// newScannedTable returns an empty table for a block that is being scanned.
func newScannedTable() *Table {
	return &Table{names: &tableNames{lookup: newNameLookup()}}
}

// addScanned appends a record of a block that is being scanned.
func (t *Table) addScanned(sequence uint64, time int64, offset int64, size int, subject []byte) {
	if t.n == len(t.chunks)*slotsPerChunk {
		t.chunks = append(t.chunks, new(slotChunk))
	}
	number := noSubject
	if len(subject) > 0 {
		number = t.names.add(subject, sequence, size)
	}
	t.add(sequence, time, offset, size, number)
}

// addNumbered is addScanned for a record of which whoever scans has numbered the subject.
func (t *Table) addNumbered(sequence uint64, time int64, offset int64, size int, given uint32, subject []byte) {
	if t.n == len(t.chunks)*slotsPerChunk {
		t.chunks = append(t.chunks, new(slotChunk))
	}
	number := noSubject
	if len(subject) > 0 {
		number = t.names.addNumbered(given, subject, sequence, size)
	}
	t.add(sequence, time, offset, size, number)
}

// addNumbered is add that finds the subject by the number that it was given.
func (n *tableNames) addNumbered(given uint32, subject []byte, sequence uint64, size int) uint32 {
	for uint32(len(n.given)) <= given {
		n.given = append(n.given, 0)
	}
	if n.given[given] == 0 {
		n.given[given] = n.number(subject, sequence) + 1
	}
	number := n.given[given] - 1
	sum := &n.list[number]
	sum.count, sum.last, sum.size = sum.count+1, sequence, uint32(size)
	return number
}

// add counts a record of a subject, and returns the subject's number.
func (n *tableNames) add(subject []byte, sequence uint64, size int) uint32 {
	number := n.number(subject, sequence)
	sum := &n.list[number]
	sum.count, sum.last, sum.size = sum.count+1, sequence, uint32(size)
	return number
}

// number returns the number of a subject, a new one when it has none; sequence is that of its first record then.
func (n *tableNames) number(subject []byte, sequence uint64) uint32 {
	hash := seedhash.Sum(0, subject)
	number, known := n.lookup.find(n.list, hash, subject)
	if !known {
		number = uint32(len(n.list))
		n.list = append(n.list, scannedName{n.lookup.text(subject), nameSum{first: sequence}, hash})
		n.lookup.added(n.list)
	}
	return number
}

// scanned ends the scan: no more records will be added.
func (n *tableNames) scanned() { n.lookup, n.given = nil, nil }

// unresolved marks a subject that was not looked up in the subject index yet.
const unresolved = noSubject - 1

// lookUp returns the number that the subject index has for one of the table's.
func (n *tableNames) lookUp(index *subjects.Index, number uint32) uint32 {
	if n.ids == nil {
		n.ids = make([]uint32, len(n.list))
		for i := range n.ids {
			n.ids[i] = unresolved
		}
	}
	if n.ids[number] == unresolved {
		// While the table lists a live message of the subject, its number stays.
		id, ok := index.Lookup(n.list[number].name)
		if !ok {
			return noSubject
		}
		n.ids[number] = id
	}
	return n.ids[number]
}

// lookUpAll is lookUp of all subjects.
func (n *tableNames) lookUpAll(index *subjects.Index) {
	for number := range n.list {
		n.lookUp(index, uint32(number))
	}
}

// NewSubjectsTable returns a table of so many subjects alone, as WorkSubjects asks for it.
func NewSubjectsTable(subjects int) *Table {
	return &Table{names: &tableNames{list: make([]scannedName, 0, subjects), lookup: &nameLookup{}}}
}

// AddSubject adds a subject of so many records, and the sequence of the last of them.
func (t *Table) AddSubject(name []byte, count, last uint64) {
	t.names.list = append(t.names.list, scannedName{name: t.names.lookup.text(name), nameSum: nameSum{count: count, last: last}})
}
