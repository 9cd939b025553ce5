package engine

import (
	"sort"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// Table lists the message records of one block in order of sequence. The engine fills
// one as it appends to the tail; readers get it as of one instant, through Tail.Table.
// A table of records that are in the file only is scanned by the shell, off the
// engine's turn, when a limit is about to reach them.
type Table struct {
	chunks []*slotChunk
	n      int
	// names are those of a scanned table, whose subject numbers are its own. In a
	// table that the engine filled they are the numbers of the subject index.
	names *tableNames
}

// slotsPerChunk is the number of records in one chunk of a table.
const slotsPerChunk = 256

// slot is the entry of one message record in a table. It fills half a cache line: a
// look-up touches one.
type slot struct {
	sequence uint64
	time     int64
	offset   uint32
	size     uint32
	subject  uint32
	// disorder is not 0 when the time of this record, or of one before it in the table, is earlier
	// than that of the record before.
	disorder uint32
}

// slotChunk is a stretch of a table.
type slotChunk [slotsPerChunk]slot

// RecordInfo is an entry of a table.
type RecordInfo struct {
	Sequence uint64
	Time     int64
	Offset   int64 // in the block
	Size     int
	Subject  uint32 // number of the subject in the index, while it has messages
}

// noSubject is the number of the empty subject, which is not tracked.
const noSubject = subjects.NoID

func (t *Table) slot(i int) *slot { return &t.chunks[i/slotsPerChunk][i%slotsPerChunk] }

// Len returns the number of records.
func (t *Table) Len() int { return t.n }

// Sequence returns the sequence of record i.
func (t *Table) Sequence(i int) uint64 { return t.slot(i).sequence }

// Subject returns the number of the subject of record i.
func (t *Table) Subject(i int) uint32 { return t.slot(i).subject }

// At returns record i.
func (t *Table) At(i int) RecordInfo {
	s := t.slot(i)
	return RecordInfo{s.sequence, s.time, int64(s.offset), int(s.size), s.subject}
}

// Search returns the index of the first record whose sequence is not below one. Most
// blocks have a message for each sequence, so it tries the place that is right then.
func (t *Table) Search(sequence uint64) int {
	if t.n == 0 {
		return 0
	}
	first := t.Sequence(0)
	if sequence <= first {
		return 0
	}
	if d := sequence - first; d < uint64(t.n) && t.Sequence(int(d)) == sequence {
		return int(d)
	}
	low, high := 0, t.n
	for low < high {
		middle := int(uint(low+high) >> 1)
		if t.Sequence(middle) < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// SearchOffset returns the index of the first record at or after an offset.
func (t *Table) SearchOffset(offset int64) int {
	return sort.Search(t.n, func(i int) bool { return int64(t.slot(i).offset) >= offset })
}

// SearchTime returns the index of the first record, from one on, whose time is not before
// a time. It looks at few records where times do not go back, and at each one behind the first
// whose time does.
func (t *Table) SearchTime(from int, time int64) int {
	ordered := sort.Search(t.n, func(i int) bool { return t.slot(i).disorder != 0 })
	if from < ordered {
		from += sort.Search(ordered-from, func(i int) bool { return t.slot(from+i).time >= time })
	}
	if from < ordered {
		return from
	}
	for from < t.n && t.slot(from).time < time {
		from++
	}
	return from
}

// add appends a record; the chunk for it must exist.
func (t *Table) add(sequence uint64, time int64, offset int64, size int, subject uint32) {
	s := t.slot(t.n)
	s.sequence, s.time = sequence, time
	s.offset, s.size, s.subject, s.disorder = uint32(offset), uint32(size), subject, 0
	if t.n > 0 {
		if before := t.slot(t.n - 1); time < before.time || before.disorder != 0 {
			s.disorder = 1
		}
	}
	t.n++
}

// subjectOf returns the number in the subject index of record i's subject.
func (t *Table) subjectOf(index *subjects.Index, i int) uint32 {
	number := t.Subject(i)
	if t.names == nil || number == noSubject {
		return number
	}
	return t.names.lookUp(index, number)
}
