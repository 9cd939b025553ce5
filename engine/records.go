package engine

import "sort"

// slotsPerChunk is the number of records in one chunk of a table.
const slotsPerChunk = 256

// slot is the entry of one message record in a block's table. It fills half a cache
// line: a look-up touches one.
type slot struct {
	sequence uint64
	time     int64
	offset   uint32
	size     uint32
	subject  uint32
	_        uint32
}

// slotChunk is a stretch of a block's table.
type slotChunk [slotsPerChunk]slot

// Records is the table of a Tail as of one instant: the records that were visible
// then.
type Records struct {
	chunks []*slotChunk
	n      int
}

// RecordInfo is an entry of a table.
type RecordInfo struct {
	Sequence uint64
	Time     int64
	Offset   int64 // in the block
	Size     int
	Subject  uint32 // number of the subject in the index, while it has messages
}

// Len returns the number of records.
func (r *Records) Len() int { return r.n }

// Search returns the index of the first record at or after sequence.
func (r *Records) Search(sequence uint64) int { return findSlot(r.chunks, r.n, sequence) }

// Sequence returns the sequence of record i.
func (r *Records) Sequence(i int) uint64 { return slotSequence(r.chunks, i) }

// Subject returns the number of the subject of record i.
func (r *Records) Subject(i int) uint32 { return r.chunks[i/slotsPerChunk][i%slotsPerChunk].subject }

// At returns record i.
func (r *Records) At(i int) RecordInfo {
	c, at := r.chunks[i/slotsPerChunk], i%slotsPerChunk
	return RecordInfo{c[at].sequence, c[at].time, int64(c[at].offset), int(c[at].size), c[at].subject}
}

// SearchOffset returns the index of the first record at or after an offset.
func (r *Records) SearchOffset(offset int64) int {
	return sort.Search(r.n, func(i int) bool { return int64(r.chunks[i/slotsPerChunk][i%slotsPerChunk].offset) >= offset })
}

// SearchTime returns the index of the first record whose time is not before one,
// given that times do not go back.
func (r *Records) SearchTime(time int64) int {
	return sort.Search(r.n, func(i int) bool { return r.chunks[i/slotsPerChunk][i%slotsPerChunk].time >= time })
}

func slotSequence(chunks []*slotChunk, i int) uint64 {
	return chunks[i/slotsPerChunk][i%slotsPerChunk].sequence
}

// findSlot returns the first of n slots whose sequence is not below the wanted
// one. Most blocks have no gaps, so it tries the place that is right then.
func findSlot(chunks []*slotChunk, n int, sequence uint64) int {
	if n == 0 {
		return 0
	}
	first := slotSequence(chunks, 0)
	if sequence <= first {
		return 0
	}
	if d := sequence - first; d < uint64(n) && slotSequence(chunks, int(d)) == sequence {
		return int(d)
	}
	low, high := 0, n
	for low < high {
		middle := int(uint(low+high) >> 1)
		if slotSequence(chunks, middle) < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
