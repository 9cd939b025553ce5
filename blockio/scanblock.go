package blockio

import "encoding/binary"

// MaxDamageReports bounds BlockScan.Damage.
const MaxDamageReports = 1024

// A BlockScan says what ScanBlock found.
type BlockScan struct {
	// End is where the next record would go: the end of what is kept, zeros
	// after it not counted.
	End int64
	// Torn: the last commit had not reached the disk in full when the machine
	// stopped. It was never acknowledged. Normal after a crash; not damage.
	Torn bool
	// CutFrom and CutTo are the bytes of a torn tail. They are to be cut off
	// (Blocks.SetAside, then Blocks.Truncate to End) before anything is
	// appended. Both are 0 when nothing is to be cut.
	CutFrom, CutTo int64
	// Damage has one entry per damaged stretch, the first MaxDamageReports of
	// DamageCount. Damage is left in place: scans go around it.
	Damage      []*CorruptionError
	DamageCount int
	// Lost has the sequences that the damaged records named, as far as they
	// can be believed, ascending.
	Lost []uint64
	// LostBytes is the length of all damaged stretches together.
	LostBytes int64
	// Settle: once the torn tail is cut, nothing on disk shows any more that
	// the damage before it was not a torn tail too. A group mark of no records
	// at End, synced, before the store is used, keeps it shown.
	Settle bool
}

// ScanBlock reads the bytes of one block as recovery does, and calls visit for
// every record that is kept, in file order, once each: messages, skips and
// erased messages with ever higher sequences, and all tombstones. Group marks
// are not visited, nor are records that go back in sequence, which every reader
// of the format ignores. The records alias data. docs/recovery.md has the rules.
//
// tail is true for the block with the highest number of those that have any
// bytes, as only that one can have been written to when the machine stopped. In
// every other block each damaged stretch costs what it covers and no more.
//
// path is used in errors alone; visit may be nil. ScanBlock changes nothing.
func ScanBlock(path string, block uint32, key *RecordCodec, data []byte, tail bool, visit func(offset int64, r Record)) BlockScan {
	s := blockScan{walker: newWalker(key, data), path: path, block: block, visit: visit}
	if tail {
		s.scanTail()
	} else {
		s.scanSealed()
	}
	if s.out.Torn && s.out.DamageCount > 0 {
		left := ScanBlock(path, block, key, data[:s.out.CutFrom], true, nil)
		s.out.Settle = left.Torn || left.DamageCount != s.out.DamageCount
	}
	return s.out
}

type blockScan struct {
	walker
	path   string
	block  uint32
	visit  func(offset int64, r Record)
	named  uint64 // highest sequence named lost
	markAt int    // where the look-ahead found a mark, see markAfter
	out    BlockScan
}

// scanSealed goes through a block that is not the last one.
func (s *blockScan) scanSealed() {
	var r Record
	at := 0
	for at < s.end {
		if err := s.key.decode(s.data[at:], &r); err != nil {
			at = s.damaged(at, len(s.data), err)
			continue
		}
		s.keep(at, &r)
		at += r.Size
	}
	s.out.End = int64(at)
}

// keep hands a record that is kept to the visitor.
func (s *blockScan) keep(at int, r *Record) {
	if !s.note(r) || r.Kind == KindGroupMark || s.visit == nil {
		return
	}
	s.visit(int64(at), *r)
}

// damaged reports the damage that starts at from and returns where it ends: at
// the next record, at limit, or at the end of the data.
func (s *blockScan) damaged(from, limit int, cause error) int {
	var r Record
	to, ok := s.next(from, limit, &r)
	if ok {
		s.report(from, to, &r, cause)
		return to
	}
	to = s.damageEnd(from, limit)
	s.report(from, to, nil, cause)
	return to
}

// damageEnd is where damage ends that no record follows.
func (s *blockScan) damageEnd(from, limit int) int {
	if limit < s.end {
		return limit
	}
	if to, ok := s.wholeToEnd(from); ok && to <= limit {
		return to
	}
	if size, _ := s.claim(from); size > 0 && s.landsOnEnd(from+size) && from+size <= limit {
		return from + size
	}
	return s.end
}

// report adds the damaged stretch from..to to the result. after is the record
// that follows it, nil when there is none.
func (s *blockScan) report(from, to int, after *Record, cause error) {
	first := s.nameLost(from, to, after)
	s.out.DamageCount++
	s.out.LostBytes += int64(to - from)
	if len(s.out.Damage) < MaxDamageReports {
		s.out.Damage = append(s.out.Damage, &CorruptionError{
			Path: s.path, Block: s.block, Offset: int64(from), Sequence: first,
			Reason: reasonText(cause), Err: cause,
		})
	}
}

// nameLost reads, in a damaged stretch, the sequence fields of the records in
// it, as far as length field leads to length field. One is believed when it
// fits between its neighbours; without a neighbour behind it, when it is the
// next sequence. It returns the first it believes, or 0.
func (s *blockScan) nameLost(from, to int, after *Record) (first uint64) {
	upper := uint64(0)
	if after != nil && after.Kind != KindTombstone && after.Kind != KindGroupMark {
		upper = after.Sequence
	}
	for at := from; to-at >= headSize; {
		expected := max(s.last, s.named) + 1
		sequence := binary.LittleEndian.Uint64(s.data[at+4:])
		size := s.lengthField(at)
		believed := sequence == expected || sequence > expected && sequence < upper
		if !believed && at+size == to && s.sequenceBroke(at, to, expected) {
			sequence, believed = expected, true
		}
		if believed && (upper == 0 || sequence < upper) {
			s.named = sequence
			s.out.Lost = append(s.out.Lost, sequence)
			if first == 0 {
				first = sequence
			}
		}
		if size == 0 {
			break
		}
		at += size
	}
	return first
}

// sequenceBroke reports whether the record from..to is intact but for its sequence
// field, which should be expected. Then its sequence was used, and must not be again.
func (s *blockScan) sequenceBroke(from, to int, expected uint64) bool {
	size, subjectLength, header, err := frame(s.data[from:to])
	if err != nil || !s.spend(2*size) {
		return false
	}
	record := append([]byte(nil), s.data[from:to]...)
	binary.LittleEndian.PutUint64(record[4:], expected)
	return s.key.sum(record, subjectLength, header) == storedSum(record)
}
