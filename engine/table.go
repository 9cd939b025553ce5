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

// slot is what a table has of one message record, besides its offset.
type slot struct {
	sequence uint64
	time     int64
	subject  uint32
	sized    uint32 // the size of the record, and the mark below
}

// disordered marks a record whose time, or that of one before it in the table, is earlier than that
// of the record before.
const disordered = 1 << 31

func (s *slot) size() uint32     { return s.sized &^ disordered }
func (s *slot) disordered() bool { return s.sized&disordered != 0 }

// slotChunk is a stretch of a table. The offsets are beside each other, so that those of a whole block
// fit into a processor's own cache: they are all that a load of a message needs, see Tail.Near.
type slotChunk struct {
	offsets [slotsPerChunk]uint32 // in the block
	slots   [slotsPerChunk]slot
}

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

func (t *Table) slot(i int) *slot {
	return &t.chunks[uint(i)/slotsPerChunk].slots[uint(i)%slotsPerChunk]
}

func (t *Table) offset(i int) uint32 {
	return t.chunks[uint(i)/slotsPerChunk].offsets[uint(i)%slotsPerChunk]
}

// Len returns the number of records.
func (t *Table) Len() int { return t.n }

// Sequence returns the sequence of record i.
func (t *Table) Sequence(i int) uint64 { return t.slot(i).sequence }

// Subject returns the number of the subject of record i.
func (t *Table) Subject(i int) uint32 { return t.slot(i).subject }

// At returns record i.
func (t *Table) At(i int) RecordInfo {
	s := t.slot(i)
	return RecordInfo{s.sequence, s.time, int64(t.offset(i)), int(s.size()), s.subject}
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
	return sort.Search(t.n, func(i int) bool { return int64(t.offset(i)) >= offset })
}

// SearchTime returns the index of the first record, from one on, whose time is not before
// a time. It looks at few records where times do not go back, and at each one behind the first
// whose time does.
func (t *Table) SearchTime(from int, time int64) int {
	ordered := sort.Search(t.n, func(i int) bool { return t.slot(i).disordered() })
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
	t.chunks[t.n/slotsPerChunk].offsets[t.n%slotsPerChunk] = uint32(offset)
	s := t.slot(t.n)
	s.sequence, s.time, s.subject, s.sized = sequence, time, subject, uint32(size)
	if t.n > 0 {
		if before := t.slot(t.n - 1); time < before.time || before.disordered() {
			s.sized |= disordered
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
