package blockio

// What a scan makes of sectors that cannot be read: damage, but for those behind the end
// of the log, where zeros were written ahead. A frame with such a sector is never torn, as
// nobody can tell whether what is missing had been there.

// scanOptions are what scans of the same block have in common.
type scanOptions struct {
	path    string
	block   uint32
	key     *RecordCodec
	tail    bool
	mayTear bool
}

func (o *scanOptions) scan(data []byte, unreadable []SectorRange, visit func(offset int64, r Record)) *blockScan {
	s := &blockScan{
		walker: newWalker(o.key, data), path: o.path, block: o.block, tail: o.tail, mayTear: o.mayTear,
		chained: true, visit: visit,
	}
	s.unreadable = unreadable
	s.run()
	return s
}

// withoutUnused returns the data without the unreadable sectors at its end which are
// behind the end of the log: only zeros follow them, and at least a length field of zeros
// lies between them and the last record. The file then ends before them for the scan.
func (o *scanOptions) withoutUnused(data []byte, unreadable []SectorRange) ([]byte, []SectorRange) {
	n, end := len(unreadable), len(data)
	for n > 0 && allZero(data[unreadable[n-1].To:end]) {
		n--
		end = int(unreadable[n].From)
	}
	for ; n < len(unreadable); n++ {
		from := unreadable[n].From
		if s := o.scan(data[:from], unreadable[:n], nil); s.endsBefore(from) {
			return data[:from], unreadable[:n]
		}
	}
	return data, unreadable
}

// endsBefore reports whether the log that was scanned certainly ends before an offset.
func (s *blockScan) endsBefore(offset int64) bool {
	end := int(s.out.End)
	open := s.damageTo > 0 && s.damageTo >= end || s.framesTo > end
	return !s.out.Torn && !open && int64(end+lengthSize) <= offset
}

// lengthSize is the size of the length field that a record begins with, in bytes. It is
// not zero.
const lengthSize = 4

// tearsUnreadable reports whether a scan of a tail would cut off sectors that cannot be
// read.
func (o *scanOptions) tearsUnreadable(data []byte, unreadable []SectorRange) bool {
	if !o.tail || len(unreadable) == 0 {
		return false
	}
	s := o.scan(data, unreadable, nil)
	return s.out.Torn && s.out.CutFrom < unreadable[len(unreadable)-1].To
}

// within returns the sectors, or parts of them, that lie before an offset.
func within(sectors []SectorRange, end int64) (list []SectorRange) {
	for _, s := range sectors {
		if s.To = min(s.To, end); s.From < s.To {
			list = append(list, s)
		}
	}
	return list
}

// unread reports whether any of the bytes from..to could not be read.
func (w *walker) unread(from, to int) bool {
	return len(w.unreadable) > 0 && overlaps(w.unreadable, from, to)
}
