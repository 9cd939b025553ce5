package blockio

import "encoding/binary"

const (
	// maxSuspects bounds what is remembered of the damage between two records.
	maxSuspects = 1 << 16

	// maxMissing is how many missing sequences are lost even if the damage had no room
	// for as many records: some of them were never stored, and nobody can tell which.
	maxMissing = 1 << 16

	// missingTries is how many of the missing sequences are tried on a damaged record.
	missingTries = 64

	// highestGuess is the highest sequence that a damaged record is believed to have
	// when no other record of its block is there to compare it with.
	highestGuess = 1 << 48
)

// A suspect is a piece of damage: one record, or what may be several.
type suspect struct {
	from, to int
	one      bool
	sequence uint64 // 0 when it is not known
	report   int    // which damaged stretch it is of
}

// suspect adds a piece of damage to those whose sequences are still to be told.
func (s *blockScan) suspect(from, to int, one bool, sequence uint64) {
	if n := len(s.suspects); n >= maxSuspects {
		s.suspects[n-1].to, s.suspects[n-1].one = to, false
		return
	}
	s.suspects = append(s.suspects, suspect{from: from, to: to, one: one, sequence: sequence, report: s.out.DamageCount})
}

// nameLost tells the sequences of the damage since the last message or skip that was
// kept. upper is the sequence of the next one, 0 when the block ends.
//
// A damaged record has the sequence that it says when that can be believed, or the one
// with which its checksum is right. Where it is not even known how many records there
// were, all sequences that are missing are lost, but no more than there was room for. At
// the end of the tail none is guessed where a whole sector is zeros: a store that syncs
// later than it writes can have lost several commits there that were not durable.
func (s *blockScan) nameLost(upper uint64) {
	lost := make([]uint64, 0, len(s.suspects))
	previous, room := s.last, 0
	for i := range s.suspects {
		p := &s.suspects[i]
		sequence, known := s.sequenceOf(p, previous, upper)
		if known && (sequence <= previous || upper > 0 && sequence >= upper) {
			sequence = 0 // every reader ignores a record that does not go forward
		}
		switch {
		case !known && upper == 0 && !s.unread(p.from, p.to) && s.lostSector(p.from, p.from, p.to, p.to):
			s.out.LostEnd = true // it may never have been written, see above
		case !known:
			room += max(1, (p.to-p.from)/EmptyRecordSize)
		case sequence > 0:
			p.sequence, previous = sequence, sequence
			lost = append(lost, sequence)
		}
	}
	if room > 0 {
		lost = s.missing(lost, room, upper)
	}
	if n := len(s.suspects); upper == 0 && n > 0 && !s.tail && s.cutShort(&s.suspects[n-1]) {
		s.out.LostEnd = true // nobody knows what followed the record that was cut
	}
	s.out.Lost = append(s.out.Lost, lost...)
	for _, p := range s.suspects {
		for len(lost) > 0 && lost[0] < p.sequence {
			lost = lost[1:]
		}
		if p.report < len(s.out.Damage) && s.out.Damage[p.report].Sequence == 0 && len(lost) > 0 {
			if p.sequence != 0 || !p.one {
				s.out.Damage[p.report].Sequence = lost[0]
			}
		}
	}
	s.suspects = s.suspects[:0]
}

// missing adds to the sequences that are known to be lost those that are missing between
// the record before the damage and the one behind it: all of them, also when some were
// removed before, unless that are many more than the damage had room for.
func (s *blockScan) missing(known []uint64, room int, upper uint64) (lost []uint64) {
	next, end := s.last+1, upper
	if s.last == 0 {
		// What the block before ended with is not known here.
		if s.out.LostHead = true; len(s.unreadable) > 0 {
			s.out.UnnamedHead = room
		}
		if next = upper - min(upper, 1); len(known) > 0 {
			next = known[0]
		}
	}
	if upper == 0 {
		s.out.LostEnd = true
		if next == 0 {
			if s.tail && len(s.unreadable) > 0 {
				s.out.Unnamed += room
			}
			return known
		}
		if end = next; len(known) > 0 {
			end = known[len(known)-1] + 1
		}
		if s.tail {
			end += uint64(room) // they must not be used again
		}
	}
	room = max(room, maxMissing)
	for ; next < end; next++ {
		switch {
		case len(known) > 0 && known[0] == next:
			known = known[1:]
		case room == 0:
			return append(lost, known...)
		default:
			room--
		}
		lost = append(lost, next)
	}
	return lost
}

// sequenceOf returns the sequence that a piece of damage used, 0 for none. It is false
// when that cannot be told. previous is the one before it, upper the next record's.
func (s *blockScan) sequenceOf(p *suspect, previous, upper uint64) (sequence uint64, known bool) {
	switch {
	case p.sequence != 0:
		return p.sequence, true
	case len(s.data)-p.from < 12, s.unread(p.from, p.from+12):
		return 0, false // cut before the end of the field, or not what was written
	}
	size := p.to - p.from
	raw := binary.LittleEndian.Uint64(s.data[p.from+4:])
	if raw&tombstoneBit != 0 && raw&erasedBit == 0 && (size == EmptyRecordSize || s.cutShort(p)) {
		return 0, true
	}
	sequence = raw & sequenceMask
	next := previous > 0 && sequence == previous+1 && (p.one || s.cutShort(p))
	if next && upper == previous+2 { // there is no other
		return sequence, true
	}
	if !p.one || size < EmptyRecordSize {
		return sequence, next
	}
	if proven, ok := s.provenSequence(p, raw, previous, upper); ok {
		if proven&tombstoneBit != 0 {
			return 0, true
		}
		return proven & sequenceMask, true
	}
	switch {
	case next:
		return sequence, true
	case sequence <= previous:
		return 0, false
	case upper > 0:
		return sequence, sequence < upper
	case previous > 0:
		return sequence, sequence-previous <= trustedGap
	default:
		return sequence, sequence < highestGuess
	}
}

// provenSequence returns the sequence field with which the checksum of a record is right:
// one of those that are missing, or one with another bit flipped.
func (s *blockScan) provenSequence(p *suspect, raw, previous, upper uint64) (field uint64, ok bool) {
	record := s.data[p.from:p.to]
	header := s.headerAt(p.from)
	subjectLength := int(binary.LittleEndian.Uint16(record[20:]))
	overhead := EmptyRecordSize
	if header {
		overhead += 4
	}
	if subjectLength > len(record)-overhead {
		if subjectLength = 0; header {
			return 0, false
		}
	}
	copied := append([]byte(nil), record...) // the block's bytes are only read
	try := func(field uint64) bool {
		s.spent.proof -= len(record) + candidateCost
		if field&^erasedBit == 0 || s.spent.proof < 0 {
			return false
		}
		binary.LittleEndian.PutUint64(copied[4:], field)
		return s.key.sum(copied, subjectLength, header) == storedSum(record)
	}
	for bit := range 64 {
		if field := raw ^ 1<<bit; try(field) {
			return field, true
		}
	}
	first, last := previous+1, previous+1
	if upper > 0 {
		if last = upper - 1; previous == 0 {
			first = last
		}
	}
	for sequence := first; sequence <= min(last, first+missingTries); sequence++ {
		for _, field := range []uint64{sequence, sequence | erasedBit} {
			if try(field) {
				return field, true
			}
		}
	}
	return 0, false
}

// cutShort reports whether the file ends in the middle of the record, by its length. Where the checksum shows that
// it is all there, the length is damaged.
func (s *blockScan) cutShort(p *suspect) bool {
	size, _ := s.claim(p.from)
	return p.to == len(s.data) && (size > p.to-p.from || p.to-p.from < headSize) && !s.whole(p.from, p.to)
}
