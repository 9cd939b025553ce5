package engine

import (
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// tableNames are the subjects of a scanned table, by the numbers that it gave them,
// in order of their first record.
type tableNames struct {
	names []string
	sums  []nameSum // of the records of each
	// ids are the numbers that the subject index has for them, once one was asked
	// for.
	ids     []uint32
	numbers map[string]uint32 // while the block is being scanned
	recent  *[recentNames]uint32
}

// recentNames is how many numbers are found without the map: each is one above that of the last subject with
// its hash, 0 for none. Whoever makes subjects collide gets the map.
const recentNames = 1 << 12

// nameSum is what a block holds of one subject: how many messages, the sequences of
// the first and the last, and the size of the last.
type nameSum struct {
	count, first, last uint64
	size               uint32
}

// newScannedTable returns an empty table for a block that is being scanned.
func newScannedTable() *Table {
	return &Table{names: &tableNames{numbers: make(map[string]uint32), recent: new([recentNames]uint32)}}
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

// add counts a record of a subject, and returns the subject's number.
func (n *tableNames) add(subject []byte, sequence uint64, size int) uint32 {
	recent := &n.recent[seedhash.Sum(0, subject)%recentNames]
	if *recent == 0 || n.names[*recent-1] != string(subject) {
		*recent = n.number(subject, sequence) + 1
	}
	number := *recent - 1
	sum := &n.sums[number]
	sum.count, sum.last, sum.size = sum.count+1, sequence, uint32(size)
	return number
}

// number returns the number of a subject, a new one when it has none; sequence is that of its first record then.
func (n *tableNames) number(subject []byte, sequence uint64) uint32 {
	if number, known := n.numbers[string(subject)]; known {
		return number
	}
	name, number := string(subject), uint32(len(n.names))
	n.names, n.sums = append(n.names, name), append(n.sums, nameSum{first: sequence})
	n.numbers[name] = number
	return number
}

// scanned ends the scan: no more records will be added.
func (n *tableNames) scanned() { n.numbers, n.recent = nil, nil }

// unresolved marks a subject that was not looked up in the subject index yet.
const unresolved = noSubject - 1

// lookUp returns the number that the subject index has for one of the table's.
func (n *tableNames) lookUp(index *subjects.Index, number uint32) uint32 {
	if n.ids == nil {
		n.ids = make([]uint32, len(n.names))
		for i := range n.ids {
			n.ids[i] = unresolved
		}
	}
	if n.ids[number] == unresolved {
		// While the table lists a live message of the subject, its number stays.
		id, ok := index.Lookup(n.names[number])
		if !ok {
			return noSubject
		}
		n.ids[number] = id
	}
	return n.ids[number]
}

// NewSubjectsTable returns a table of subjects alone, as WorkSubjects asks for it.
func NewSubjectsTable() *Table { return &Table{names: &tableNames{}} }

// AddSubject adds a subject of so many records, and the sequence of the last of them.
func (t *Table) AddSubject(name []byte, count, last uint64) {
	t.names.names = append(t.names.names, string(name))
	t.names.sums = append(t.names.sums, nameSum{count: count, last: last})
}
