package blockio

// frameSize returns the size of the frame that a record begins, in bytes with the record:
// that of a mark and all that it announces, or of the record alone.
func (r *Record) frameSize() int {
	if r.Kind != KindGroupMark {
		return r.Size
	}
	if bytes, _, ok := r.FrameMark(); ok {
		if bytes < EmptyRecordSize {
			return r.Size
		}
		return r.Size + int(bytes)
	}
	if records, bytes := r.GroupMark(); sensibleMark(records, bytes) {
		return r.Size + int(bytes)
	}
	return r.Size
}

// sensibleMark reports whether so many bytes can hold so many records, of which there is
// at least one.
func sensibleMark(records, bytes uint32) bool {
	return records > 0 && uint64(bytes) >= uint64(records)*EmptyRecordSize
}

// A frameWalk is a frame, and what a first look at its records found.
type frameWalk struct {
	inside, end int
	measured    bool   // the mark is of the second kind
	markCRC     uint32 // what it says then
	records     uint32 // what it says else
	fits        bool   // they are all valid, and end where the frame does
	settled     bool   // none is damaged, but they are not what the mark counted any more
	loose       bool   // one is erased: the lengths need not be the mark's
	behindGap   bool   // a sequence is missing before the first: a mark may be, too, which the CRC goes on from
	crc         uint32
}

// frame handles the frame of that size that the mark r at start begins.
func (s *blockScan) frame(start, size int, r *Record) (next int, ok bool) {
	f := frameWalk{inside: start + EmptyRecordSize, end: start + size}
	if _, f.markCRC, f.measured = r.FrameMark(); !f.measured {
		f.records, _ = r.GroupMark()
	}
	if size == EmptyRecordSize { // a mark of nothing
		s.marked(&f)
		return f.end, true
	}
	if s.framed != nil {
		s.framed(s, start, size, f.measured)
	}
	s.framesTo = max(s.framesTo, f.end)
	if s.mayTear {
		if s.recordAt(f.end, len(s.data), &s.ahead) {
			s.aheadAt = f.end
		} else if s.walkFrame(&f); !f.fits && !f.settled && !s.durable(f.end) && s.tornGroup(start, f.end) {
			return 0, false
		}
	}
	if !s.lengthsMatch(&f) {
		if s.walkFrame(&f); f.fits {
			s.fitting(&f)
			return f.end, true
		}
	}
	s.marked(&f)
	return s.members(&f, r), true
}

// lengthsMatch reports whether the lengths of the records in a frame are those of its
// mark, as far as that says something of them. It is quick, and hashes no record.
func (s *blockScan) lengthsMatch(f *frameWalk) bool {
	if !f.measured || !s.chained {
		return true
	}
	s.lengths.crc = s.out.MarkCRC
	at := f.inside
	for f.end-at >= EmptyRecordSize && f.end <= len(s.data) {
		size := s.sizeAt(at)
		if size < EmptyRecordSize || size > f.end-at {
			break
		}
		s.lengths.add(s.data[at : at+size])
		at += size
	}
	return s.lengths.sum() == f.markCRC && at == f.end
}

// walkFrame looks at the records of a frame without keeping them.
func (s *blockScan) walkFrame(f *frameWalk) {
	s.lengths.crc = s.out.MarkCRC
	f.settled, f.loose, f.behindGap = false, false, false
	var r Record
	last := s.last
	at := f.inside
	for n := uint32(0); at < f.end; n++ {
		if !f.measured && n == f.records {
			f.settled = true
			return
		}
		if s.key.decode(s.data[min(at, len(s.data)):], &r) != nil {
			return
		}
		if r.Kind == KindGroupMark || at+r.Size > f.end {
			f.settled = true
			return
		}
		s.lengths.add(s.data[at : at+r.Size])
		switch r.Kind {
		case KindErased:
			f.loose = true
		case KindMessage:
			f.behindGap = f.behindGap || last > 0 && last == s.last && r.Sequence != last+1
			last = r.Sequence
		case KindSkip:
			last = r.Sequence
		}
		at += r.Size
	}
	f.fits, f.crc = true, s.lengths.sum()
}

// fitting keeps the records of a frame that is all there, but for one whose lengths are
// not those that the mark was written for.
func (s *blockScan) fitting(f *frameWalk) {
	wrong := !f.loose && f.crc != f.markCRC
	s.marked(f)
	bad, known := 0, false
	if wrong {
		bad, known = s.brokenLengths(f.inside, f.end, f.crc^f.markCRC)
		wrong = known || !f.behindGap
	}
	var r Record
	for at := f.inside; at < f.end; at += r.Size {
		if Parse(s.data[at:], &r) != nil {
			return // it was decoded before
		}
		// The checksum of a record without content settles its lengths, too.
		if wrong && r.Size > EmptyRecordSize && (!known || at == bad) {
			s.keepNot(at, &r)
			continue
		}
		s.keep(at, &r)
	}
}

// keepNot reports a record whose checksum is right and whose lengths are not.
func (s *blockScan) keepNot(at int, r *Record) {
	if sequenced(r.Kind) && s.plausible(r) {
		s.suspect(at, at+r.Size, true, r.Sequence)
	}
	s.report(at, at+r.Size, errLengths)
}

// durable reports whether anything that was written after a frame that ends at end is
// there: the frame had then been synced.
func (s *blockScan) durable(end int) bool {
	var r Record
	if end >= len(s.data) {
		return false
	}
	look := s.walker
	_, found := look.search(end, len(s.data), len(s.data), &r)
	return found
}

// members goes through the records of a frame that is kept, and uses r for them.
func (s *blockScan) members(f *frameWalk, r *Record) int {
	at, end := f.inside, min(f.end, s.end)
	damaged := false
	for at < end {
		if err := s.key.decode(s.data[at:], r); err != nil {
			damaged = true
			if at = s.damaged(at, s.firmEnd(f.end), err); at > f.end {
				s.chained = false // the next mark is part of the damage
			}
			s.firm = false
			continue
		}
		if r.Kind == KindGroupMark || at+r.Size > f.end {
			return at // the frame is shorter than it was, and this is not of it
		}
		s.keep(at, r)
		at += r.Size
	}
	if at >= f.end || f.end > len(s.data) {
		return at
	}
	if s.walkFrame(f); f.settled && !damaged {
		return at
	}
	s.suspect(at, f.end, false, 0) // nothing but zeros, which nobody who takes records out leaves
	s.report(at, f.end, errZeros)
	return f.end
}

// firmEnd returns the end of a frame, and sets firm, if the block shows that it ends there,
// and else the end of the block: somebody else may have taken records out of the frame, or the damage may
// go on behind it.
func (s *blockScan) firmEnd(end int) int {
	var r Record
	look := s.walker
	switch {
	case end > len(s.data):
		return len(s.data)
	case end >= s.end, look.recordAt(end, len(s.data), &r), look.recordAt(end+EmptyRecordSize, len(s.data), &r):
		s.firm = true
		return end
	default:
		return len(s.data)
	}
}
