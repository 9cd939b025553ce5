package blockio

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
	// Lost has the sequences of what is damaged, ascending: those that damaged
	// records have, and where not even their number is known all that are
	// missing between the records around the damage, as many as it has room for.
	Lost []uint64
	// LostHead: the block begins with damage of which not all sequences are
	// known. Those between the last one of the block before and the first one
	// in Lost were lost with it.
	LostHead bool
	// LostEnd: the block ends with damage of which not all sequences are known.
	// Those up to the first one of the next block were lost with it. In a tail,
	// Lost has as many as the damage has room for.
	LostEnd bool
	// LostBytes is the length of all damaged stretches together.
	LostBytes int64
	// MarkCRC is the CRC of the last frame mark that is kept, 0 for none: the
	// seed for the lengths of the next frame that is appended.
	MarkCRC uint32
	// Unreadable is how many bytes of the block could not be read. They are damage, and
	// never torn, unless they lie behind where the log ends.
	Unreadable int64
	// Unnamed is how many records there was room for in a tail with unreadable sectors, of
	// which nothing shows any sequence. That many behind the last one of the block before may have been used.
	Unnamed int
	// UnnamedHead is how many there was room for at the beginning of a block with
	// unreadable sectors, before the first one that shows its sequence.
	UnnamedHead int
	// Settle: once the torn tail is cut, nothing on disk shows any more that
	// the damage before it was not a torn tail too. A mark of no records at
	// End, synced, before the store is used, keeps it shown.
	Settle bool
}

// ScanBlock reads the bytes of one block as recovery does, and calls visit for
// every record that is kept, in file order, once each: messages, skips and
// erased messages with ever higher sequences, and all tombstones. Marks are not
// visited, nor are records that go back in sequence, which every reader of the
// format ignores. The records alias data, but for a tombstone or floor of which one bit
// has flipped: that is damage, and visited as it was. docs/recovery.md has the rules.
//
// tail is true for the block with the highest number of those that have any
// bytes, as only that one can have been written to when the machine stopped. In
// every other block each damaged stretch costs what it covers and no more.
//
// path is used in errors alone; visit may be nil. ScanBlock changes nothing.
func ScanBlock(path string, block uint32, key *RecordCodec, data []byte, tail bool, visit func(offset int64, r Record)) BlockScan {
	return ScanBlockAround(path, block, key, data, nil, tail, visit)
}

// ScanBlockAround is ScanBlock of a block of which some sectors could not be read, as
// ReadAll returns it with an *UnreadableError; data may be the beginning of that.
func ScanBlockAround(path string, block uint32, key *RecordCodec, data []byte, unreadable []SectorRange, tail bool, visit func(offset int64, r Record)) BlockScan {
	o := scanOptions{path: path, block: block, key: key, tail: tail, mayTear: tail}
	unreadable = within(unreadable, int64(len(data)))
	data, used := o.withoutUnused(data, unreadable)
	o.mayTear = tail && !o.tearsUnreadable(data, used)
	var kept tally
	if o.mayTear {
		visit = kept.of(visit)
	}
	s := o.scan(data, used, visit)
	if s.out.Torn && s.out.DamageCount > 0 {
		s.out.Settle = o.readsOtherwise(data[:s.out.CutFrom], within(used, s.out.CutFrom), s, kept)
	}
	for _, u := range unreadable {
		s.out.Unreadable += u.To - u.From
	}
	return s.out
}

type blockScan struct {
	walker
	path     string
	block    uint32
	tail     bool
	mayTear  bool // the last frame may be torn
	visit    func(offset int64, r Record)
	framed   func(s *blockScan, start, size int, measured bool) // called for each frame with records, if set
	damageTo int                                                // where the last damage ends
	framesTo int                                                // up to where marks announce records
	chained  bool                                               // no mark can be missing between MarkCRC's and here
	suspects []suspect                                          // damage since the last message or skip that is kept
	markAt   int                                                // where the look-ahead found a mark, see markAfter
	lengths  lengthsHash
	ahead    Record // the record at aheadAt, which was looked at before its turn
	aheadAt  int
	out      BlockScan
}

// run goes through the block. It is a sequence of frames: marks with the records
// of their commits, and single records. Frames are written and synced one after
// the other, so only the last one of the tail can be torn. Every function that
// handles one returns where the next begins, or ok false when the block is to be
// cut where that frame started.
func (s *blockScan) run() {
	var r Record
	at := 0
	for at < s.end {
		next, ok := at, true
		var err error
		if at == s.aheadAt && at > 0 {
			r = s.ahead
		} else {
			err = s.key.decode(s.data[at:], &r)
		}
		switch {
		case err != nil:
			next, ok = s.single(at, err)
		case r.Kind == KindGroupMark:
			next, ok = s.frame(at, r.frameSize(), &r)
		default:
			s.keep(at, &r)
			next = at + r.Size
		}
		if !ok {
			s.out.Torn = true
			s.out.CutFrom, s.out.CutTo = int64(at), int64(s.end)
			break
		}
		at = next
	}
	s.nameLost(0)
	s.out.End = int64(at)
}

// keep hands a record that is kept to the visitor.
func (s *blockScan) keep(at int, r *Record) {
	if sequenced(r.Kind) {
		if r.Sequence <= s.last {
			return // every reader of the format ignores it
		}
		if len(s.suspects) > 0 {
			s.nameLost(r.Sequence)
		}
		s.last = r.Sequence
	}
	if s.visit != nil && r.Kind != KindGroupMark {
		s.visit(int64(at), *r)
	}
}

// marked keeps the CRC of a frame's mark, which the next one goes on from.
func (s *blockScan) marked(f *frameWalk) {
	if f.measured {
		s.out.MarkCRC, s.chained = f.markCRC, true
	}
}

// damaged reports the damage that starts at from and returns where it ends: at
// the next record, at limit, or at the end of the data.
func (s *blockScan) damaged(from, limit int, cause error) int {
	var r Record
	to, _ := s.gap(from, limit, &r, func(from, to int, one bool) {
		if s.suspect(from, to, one, 0); one {
			s.removal(from, to)
		}
	})
	s.report(from, to, cause)
	return to
}

// report adds the damaged stretch from..to, whose pieces are suspects, to the result.
func (s *blockScan) report(from, to int, cause error) {
	if s.damageTo = to; s.unread(from, to) {
		cause = ErrSector
	}
	s.out.DamageCount++
	s.out.LostBytes += int64(to - from)
	if len(s.out.Damage) < MaxDamageReports {
		s.out.Damage = append(s.out.Damage, &CorruptionError{
			Path: s.path, Block: s.block, Offset: int64(from),
			Reason: reasonText(cause), Err: cause,
		})
	}
}
