package blockio

// End says how a forward scan ended.
type End uint8

// The ends of a scan.
const (
	// EndClean: nothing but zeros, or nothing, after the last record.
	EndClean End = iota
	// EndTorn: the data ends inside a record.
	EndTorn
	// EndDamage: a record is not what it should be.
	EndDamage
)

// String names the end.
func (e End) String() string {
	switch e {
	case EndClean:
		return "clean"
	case EndTorn:
		return "torn"
	default:
		return "damage"
	}
}

// A Scanner goes forward through the bytes of one block, record by record,
// every valid one: group marks, tombstones and records out of order too. What
// they mean, and what of a damaged block is kept, is for ScanBlock to say.
// It is for one goroutine; the records alias the data.
type Scanner struct {
	walk   walker
	next   int // where the next record starts
	offset int // where the current one does
	record Record
	end    End
	reason string
}

// NewScanner starts at the first byte of data, which is one whole block.
func NewScanner(key *RecordCodec, data []byte) *Scanner {
	return &Scanner{walk: newWalker(key, data)}
}

// Next goes to the next record. It is false at the end of the block and at the
// first byte that is no record; End tells which, Resync goes on after it.
func (s *Scanner) Next() bool {
	if s.next >= s.walk.end { // nothing but zeros from here
		s.end, s.reason = EndClean, ""
		return false
	}
	err := s.walk.key.decode(s.walk.data[s.next:], &s.record)
	if err != nil {
		s.end, s.reason = EndDamage, reasonText(err)
		if err == ErrShort {
			s.end = EndTorn
		}
		return false
	}
	s.accept(s.next)
	return true
}

func (s *Scanner) accept(at int) {
	s.walk.note(&s.record)
	s.offset = at
	s.next = at + s.record.Size
}

// Record is the current record.
func (s *Scanner) Record() Record { return s.record }

// Offset is where the current record starts, in bytes from the block's start.
func (s *Scanner) Offset() int64 { return int64(s.offset) }

// End says why Next was false, at which offset, and, unless it was the clean
// end, for what reason.
func (s *Scanner) End() (End, int64, string) { return s.end, int64(s.next), s.reason }

// Resync, after Next was false for damage, goes to the next record that is
// valid to its last byte and, if it has a sequence of its own, is ahead of all
// before it. It is that record then that Record and Offset give; Next goes on
// behind it. It is false when there is none. The work it does is bounded, also
// on data made to look like records everywhere.
func (s *Scanner) Resync() bool {
	if s.next >= s.walk.end {
		return false
	}
	at, ok := s.walk.next(s.next, len(s.walk.data), &s.record)
	if ok {
		s.accept(at)
	}
	return ok
}
