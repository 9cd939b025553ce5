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

// A frameWalk is what a first look at the records of a frame found.
type frameWalk struct {
	inside, end int
	fits        bool // they are all valid, and end where the frame does
	settled     bool // none is damaged, but they are not what the mark counted any more
	loose       bool // one is erased, or a sequence is missing: the lengths need not be the mark's
	crc         uint32
}

// frame handles the frame that the mark r at start begins.
func (s *blockScan) frame(start int, r *Record) (next int, ok bool) {
	mark := *r
	f := s.walkFrame(start, &mark)
	if f.fits {
		s.fitting(&f, &mark)
		return f.end, true
	}
	if s.tail && !f.settled && !s.durable(f.end) && s.tornGroup(start, f.end) {
		return 0, false
	}
	s.marked(&mark)
	return s.members(&f), true
}

// walkFrame looks at the records of a frame without keeping them.
func (s *blockScan) walkFrame(start int, mark *Record) frameWalk {
	f := frameWalk{inside: start + EmptyRecordSize, end: start + mark.frameSize()}
	most, _ := mark.GroupMark()
	_, _, lengths := mark.FrameMark()
	hash := lengthsHash{crc: s.out.MarkCRC}
	var r Record
	last := s.last
	at := f.inside
	for n := uint32(0); at < f.end; n++ {
		if !lengths && n == most {
			f.settled = true
			return f
		}
		if s.key.decode(s.data[min(at, len(s.data)):], &r) != nil {
			return f
		}
		if r.Kind == KindGroupMark || at+r.Size > f.end {
			f.settled = true
			return f
		}
		if lengths {
			hash.add(s.data[at : at+r.Size])
			switch r.Kind {
			case KindErased:
				f.loose = true
			case KindMessage:
				f.loose = f.loose || last > 0 && r.Sequence != last+1
				last = r.Sequence
			case KindSkip:
				last = r.Sequence
			}
		}
		at += r.Size
	}
	f.fits, f.crc = true, hash.sum()
	return f
}

// fitting keeps the records of a frame that is all there, but for one whose lengths are
// not those that the mark was written for.
func (s *blockScan) fitting(f *frameWalk, mark *Record) {
	_, crc, lengths := mark.FrameMark()
	wrong := lengths && s.chained && !f.loose && f.crc != crc
	s.marked(mark)
	bad, known := 0, false
	if wrong {
		bad, known = s.brokenLengths(f.inside, f.end, f.crc^crc)
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

// members goes through the records of a frame that is not what its mark says but is kept.
func (s *blockScan) members(f *frameWalk) int {
	limit := s.firmEnd(f.end)
	var r Record
	at := f.inside
	for at < f.end && at < s.end {
		err := s.key.decode(s.data[at:min(limit, len(s.data))], &r)
		if err != nil {
			if at = s.damaged(at, limit, err); at > f.end {
				s.chained = false // the next mark is part of the damage
			}
			continue
		}
		if r.Kind == KindGroupMark || at+r.Size > f.end {
			return at // the frame is shorter than it was, and this is not of it
		}
		s.keep(at, &r)
		at += r.Size
	}
	if at < f.end && f.end <= len(s.data) && !f.settled {
		s.suspect(at, f.end, false, 0) // nothing but zeros, which nobody who takes records out leaves
		s.report(at, f.end, errZeros)
		return f.end
	}
	return at
}

// firmEnd returns the end of a frame if the block shows that it ends there, and else that
// of the block: somebody else may have taken records out of the frame, or the damage may
// go on behind it.
func (s *blockScan) firmEnd(end int) int {
	var r Record
	look := s.walker
	switch {
	case end > len(s.data):
		return len(s.data)
	case end >= s.end, look.recordAt(end, len(s.data), &r), look.recordAt(end+EmptyRecordSize, len(s.data), &r):
		return end
	default:
		return len(s.data)
	}
}
