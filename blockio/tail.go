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

// tornGroup reports whether the group start..end, which is not complete and behind which
// there is no record, had not reached the disk in full.
func (s *blockScan) tornGroup(start, end int) bool {
	if end > len(s.data) || s.end <= end-checksumSize {
		return true
	}
	look := s.walker
	look.firm = true
	var r Record
	for at := start + EmptyRecordSize; at < end; {
		if look.key.decode(look.data[at:end], &r) == nil {
			look.note(&r)
			at += r.Size
			continue
		}
		to, found := look.gap(at, end, &r, nil)
		if !found {
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
	if err != nil || from+size != end {
		return false
	}
	var sum [checksumSize]byte
	binary.LittleEndian.PutUint64(sum[:], w.key.sum(w.data[from:end], subjectLength, header))
	return bytes.Equal(sum[:have], w.data[end-checksumSize:w.end])
}

// single handles bytes at at which are not a record: a frame of one record, or
// the mark of a group.
func (s *blockScan) single(at int, cause error) (int, bool) {
	if s.mayTear {
		look := s.lookAhead()
		var r Record
		to, found := look.gap(at, len(s.data), &r, nil)
		if found && s.lostMark(at, to) && !s.markAfter(to) || !found && s.tornSingle(at) {
			return 0, false
		}
	}
	s.chained = false // it may have been a mark
	return s.damaged(at, len(s.data), cause), true
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

// likeMark reports whether the bytes from..to of the record are those of a mark of either
// kind, as far as all marks have the same there.
func likeMark(record []byte, from, to int) bool {
	for i := from; i < min(to, headSize); i++ {
		switch b := record[i]; {
		case i == 0 && b != EmptyRecordSize,
			i == 11 && b != tombstoneBit>>56,
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
	look := s.lookAhead()
	var r Record
	for at := from; at < look.end; {
		if look.key.decode(look.data[at:], &r) != nil {
			next, found := look.gap(at, len(look.data), &r, nil)
			if !found {
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
