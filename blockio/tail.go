package blockio

import (
	"bytes"
	"encoding/binary"
)

const (
	// sectorSize is the unit, in bytes, in which a disk keeps or loses a write.
	sectorSize = 512

	// lostMarkReach bounds, in bytes, how much is taken for a torn group when
	// nothing is left of its mark to prove that there was one. It is what
	// SetAside keeps in full.
	lostMarkReach = SetAsideLimit
)

// scanTail goes through the block that was being written. It is a sequence of
// frames: single records, and marks with the records of their groups. Frames
// are written and synced one after the other, so only the last can be torn.
// Every function that handles one returns where the next begins, or ok false when
// the block is to be cut where that frame started.
func (s *blockScan) scanTail() {
	var r Record
	at, ok := 0, true
	for at < s.end {
		start := at
		if err := s.key.decode(s.data[at:], &r); err != nil {
			at, ok = s.single(at, err)
		} else if records, size := r.GroupMark(); r.Kind == KindGroupMark && sensibleMark(records, size) {
			at, ok = s.group(at, records, at+EmptyRecordSize+int(size))
		} else {
			s.keep(at, &r)
			at += r.Size
		}
		if !ok {
			s.out.Torn = true
			s.out.CutFrom, s.out.CutTo = int64(start), int64(s.end)
			at = start
			break
		}
	}
	s.out.End = int64(at)
}

// sensibleMark reports whether so many bytes can hold so many records, of which there is
// at least one.
func sensibleMark(records, size uint32) bool {
	return records > 0 && uint64(size) >= uint64(records)*EmptyRecordSize
}

// group handles a mark at start whose group should end at end.
func (s *blockScan) group(start int, records uint32, end int) (int, bool) {
	inside := start + EmptyRecordSize
	durable := s.recordAt(end) || s.settled(inside, records, end)
	if !durable {
		look := s.walker
		var r Record
		if end < len(s.data) {
			_, durable = look.search(end, len(s.data), &r)
			s.budget = look.budget
		}
		if !durable && s.tornGroup(start, end) {
			return 0, false
		}
	}
	return s.members(inside, end), true
}

// recordAt reports whether a valid record starts there.
func (s *blockScan) recordAt(at int) bool {
	var r Record
	return at < s.end && s.key.decode(s.data[at:], &r) == nil
}

// settled reports whether the group is complete, or is not what its mark says any more
// although no record is damaged: somebody else has taken records out of it.
func (s *blockScan) settled(at int, records uint32, end int) bool {
	var r Record
	for n := uint32(0); n < records; n++ {
		if at >= end {
			return true
		}
		if s.key.decode(s.data[min(at, len(s.data)):], &r) != nil {
			return false
		}
		if r.Kind == KindGroupMark {
			return true
		}
		at += r.Size
	}
	return true
}

// members goes through the records of a group that is kept.
func (s *blockScan) members(at, end int) int {
	limit := min(end, len(s.data))
	var r Record
	for at < limit && at < s.end {
		err := s.key.decode(s.data[at:], &r)
		if err != nil {
			at = s.damaged(at, limit, err)
			continue
		}
		if r.Kind == KindGroupMark || at+r.Size > end {
			return at // the group is shorter than it was, and this is not of it
		}
		s.keep(at, &r)
		at += r.Size
	}
	return at
}

// tornGroup reports whether the group start..end, which is not complete and behind which
// there is no record, had not reached the disk in full.
func (s *blockScan) tornGroup(start, end int) bool {
	if end > len(s.data) || s.end <= end-checksumSize {
		return true
	}
	look := s.walker
	defer func() { s.budget = look.budget }()
	var r Record
	for at := start + EmptyRecordSize; at < end; {
		if look.key.decode(look.data[at:end], &r) == nil {
			look.note(&r)
			at += r.Size
			continue
		}
		to, ok := look.next(at, end, &r)
		if !ok {
			to = end
		}
		if look.lostSector(start, at, to, end) || to == end && look.tornChecksum(at, end) {
			return true
		}
		at = to
	}
	return false
}

// lostSector reports whether a sector that the damage from..to touches is all zeros, as
// far as it belongs to the frame start..end. At either end of the frame only a few
// bytes may be left of a sector, and such can be zeros in an intact record: a
// length's low bytes, a checksum's last.
func (w *walker) lostSector(start, from, to, end int) bool {
	for sector := from - from%sectorSize; sector < to; sector += sectorSize {
		first, last := max(sector, start), min(sector+sectorSize, end)
		if first > sector && last-first < 4 || last == end && last-first < checksumSize {
			continue
		}
		if allZero(w.data[first:last]) {
			return true
		}
	}
	return false
}

// tornChecksum reports whether the record from..end is intact up to a point inside its
// checksum, and nothing but zeros after that.
func (w *walker) tornChecksum(from, end int) bool {
	have := w.end - (end - checksumSize)
	if have < 0 || have >= checksumSize || end > len(w.data) {
		return false
	}
	size, subjectLength, header, err := frame(w.data[from:end])
	if err != nil || from+size != end || !w.spend(size) {
		return false
	}
	var sum [checksumSize]byte
	binary.LittleEndian.PutUint64(sum[:], w.key.sum(w.data[from:end], subjectLength, header))
	return bytes.Equal(sum[:have], w.data[end-checksumSize:w.end])
}

// single handles bytes at at which are not a record: a frame of one record, or
// the mark of a group.
func (s *blockScan) single(at int, cause error) (int, bool) {
	var r Record
	to, ok := s.next(at, len(s.data), &r)
	switch {
	case ok && s.lostMark(at, to) && !s.markAfter(to):
		return 0, false
	case ok:
		s.report(at, to, &r, cause)
		return to, true
	case s.tornSingle(at):
		return 0, false
	}
	to = s.damageEnd(at, len(s.data))
	s.report(at, to, nil, cause)
	return to, true
}

// tornSingle reports whether the frame at at, which no record follows, had not reached
// the disk in full.
func (s *blockScan) tornSingle(at int) bool {
	if s.end-at <= headSize || len(s.data)-at < EmptyRecordSize {
		return true // no record is that short
	}
	size, _, _, err := frame(s.data[at:])
	if err == errSubjectLength || err == errLength {
		size = 0
	}
	end := at + size
	whole := size > 0 && s.landsOnEnd(end)
	if sector := at - at%sectorSize + sectorSize; sector-at < sectorSize && !whole && allZero(s.data[at:min(sector, s.end)]) {
		return true // its first sector
	}
	if _, ok := s.wholeToEnd(at); ok {
		return false // all there but for the length, which no tear changes
	}
	switch {
	case size == 0 || end < s.end:
		return s.lostSector(at, at, s.end, s.end)
	case end > len(s.data) || s.end <= end-checksumSize:
		return true
	default:
		return s.tornChecksum(at, end) || s.lostSector(at, at, end, end)
	}
}

// lostMark reports whether what is damaged at at, up to the record at to, looks like the
// mark of a group whose sector did not reach the disk while others of the group did.
func (s *blockScan) lostMark(at, to int) bool {
	if size, _ := s.claim(at); at+size == to || s.whole(at, to) && !likeMark(s.data[at:], 4, EmptyRecordSize) {
		return false // one damaged record, to the byte, and not a mark
	}
	first := at - at%sectorSize + sectorSize // where at's sector ends
	seen := first - at                       // bytes of the frame in it
	lostFirst := allZero(s.data[at:min(first, to)]) && first <= to
	lostSecond := first < at+EmptyRecordSize && first+sectorSize <= to && allZero(s.data[first:first+sectorSize])
	switch {
	case lostFirst && !lostSecond && !likeMark(s.data[at:], seen, EmptyRecordSize):
		return false
	case !lostFirst && (!lostSecond || !likeMark(s.data[at:], 0, seen)):
		return false
	}
	sure := seen < sectorSize && seen >= 4
	return sure || s.end-at <= lostMarkReach
}

// likeMark reports whether the bytes from..to of the record are those of a group mark, as
// far as all marks have the same there.
func likeMark(record []byte, from, to int) bool {
	for i := from; i < min(to, headSize); i++ {
		switch b := record[i]; {
		case i == 0 && b != EmptyRecordSize,
			i == 11 && b != tombstoneBit>>56,
			i == 19 && b >= 0x80,
			(i >= 1 && i < 11 || i >= 20) && b != 0:
			return false
		}
	}
	return true
}

// markAfter reports whether a group mark starts at from or later. It begins a later
// frame, so all before it was durable. What it finds is kept, so that a block with a lot
// of damage is looked through once.
func (s *blockScan) markAfter(from int) bool {
	if s.markAt >= from {
		return s.markAt > 0
	}
	look := s.walker
	defer func() { s.budget = look.budget }()
	var r Record
	for at := from; at < look.end; {
		if look.key.decode(look.data[at:], &r) != nil {
			next, ok := look.next(at, len(look.data), &r)
			if !ok {
				return false
			}
			at = next
		}
		if r.Kind == KindGroupMark {
			s.markAt = at
			return true
		}
		look.note(&r)
		at += r.Size
	}
	return false
}
