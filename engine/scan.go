package engine

import (
	"math"
	"slices"
)

// Scan collects what one block file holds, for recovery or to make a table. Scans of
// different blocks may be filled by different goroutines.
type Scan struct {
	id          uint32
	size        int64
	appendable  bool
	table       *Table
	first       uint64 // of the first message, or what follows the skips of a block without messages
	last        uint64
	lastRecord  uint64 // of the last message or skip; last may be shown by a tombstone
	lastUnsure  bool   // lastRecord may be of a tombstone
	lastTime    int64
	minTime     int64 // lowest time of a message, or below it
	maxTime     int64
	msgs        uint64
	bytes       uint64
	deleted     []SequenceRange
	tombstones  []Tombstone
	lives       []MessageLife // if the scan looks for them
	livesKnown  bool          // there are no others
	floor       uint64        // see Floor
	lost        []uint64
	lostBytes   int64
	timeless    bool // the last record was of an erased message: it kept no time
	trimmed     bool
	compressed  bool // see Compressed
	held        bool // see Held
	lostHead    bool // see Around
	lostEnd     bool
	unreadable  bool // see Unreadable
	unnamed     int
	unnamedHead int
	markCRC     uint32
	had         bool        // see Had
	hadRemoved  []Tombstone // see HadRemoved
	hadFloor    uint64
	index       *indexedSubjects // of a scan that was filled from a block index
	firstMsg    uint64           // sequence of the first message
	firstTime   int64            // its time
}

// NewScan starts the scan of a block.
func NewScan(id uint32) *Scan {
	return &Scan{id: id, table: newScannedTable(), lastTime: NoTime, minTime: never, maxTime: math.MinInt64}
}

// Message adds a message record. A record whose sequence is not above those of all
// records before it is no message of the stream, and is passed over.
func (s *Scan) Message(sequence uint64, time int64, offset int64, size int, subject []byte) {
	if s.message(sequence, time, size) {
		s.table.addScanned(sequence, time, offset, size, subject)
	}
}

// MessageOf is Message for one who has numbered the subjects of the block, from 0.
func (s *Scan) MessageOf(sequence uint64, time int64, offset int64, size int, number uint32, subject []byte) {
	if s.message(sequence, time, size) {
		s.table.addNumbered(sequence, time, offset, size, number, subject)
	}
}

// message accounts a message record. It reports false when it is to be passed over.
func (s *Scan) message(sequence uint64, time int64, size int) bool {
	if sequence <= s.last || sequence >= maxSequence {
		return false
	}
	if s.msgs == 0 {
		s.first, s.firstMsg, s.firstTime = sequence, sequence, time
	} else if sequence > s.last+1 {
		s.addDeleted(s.last+1, sequence-1)
	}
	s.msgs++
	s.bytes += uint64(size)
	s.last, s.lastTime, s.timeless = sequence, time, false
	s.minTime, s.maxTime = min(s.minTime, time), max(s.maxTime, time)
	return true
}

// Skip adds a record that uses up its sequence, and those before it back to the
// previous record, without a message.
func (s *Scan) Skip(sequence uint64, time int64) {
	if sequence <= s.last || sequence >= maxSequence {
		return
	}
	if s.msgs == 0 {
		s.first = sequence + 1
	} else {
		s.addDeleted(s.last+1, sequence)
	}
	s.last = sequence
	// The record of an erased message has no time; the time is in its tombstone.
	if s.timeless = time == 0; !s.timeless {
		s.lastTime = time
	}
}

func (s *Scan) addDeleted(first, last uint64) {
	if n := len(s.deleted); n > 0 && s.deleted[n-1].Last+1 == first {
		s.deleted[n-1].Last = last
		return
	}
	s.deleted = append(s.deleted, SequenceRange{first, last})
}

// Tombstone adds a record that deletes a sequence of this or an earlier block.
func (s *Scan) Tombstone(sequence uint64, time int64) {
	if sequence > 0 && sequence < maxSequence {
		s.tombstones = append(s.tombstones, Tombstone{sequence, time})
	}
}

// Floor adds a record that removes all messages below a sequence.
func (s *Scan) Floor(first uint64) {
	if first < maxSequence {
		s.floor = max(s.floor, first)
	}
}

// Finish ends the scan. size is where the next record would go, and appendable tells
// whether it may go there. lost names the sequences of damaged records, as far as they
// are known; lostBytes is how long the damaged parts are.
func (s *Scan) Finish(size int64, appendable bool, lost []uint64, lostBytes int64) {
	s.size, s.appendable, s.lost, s.lostBytes = size, appendable, lost, lostBytes
	s.table.names.scanned()
	s.lastRecord = s.last
	// A tombstone shows that its sequence had been used.
	for _, t := range s.tombstones {
		if t.Sequence > s.last || t.Sequence == s.last && s.timeless {
			if s.msgs > 0 && t.Sequence > s.last {
				s.addDeleted(s.last+1, t.Sequence)
			}
			s.last, s.lastTime, s.timeless = t.Sequence, t.Time, false
		}
	}
}

// spanned lists the deleted sequences from first to the last one that the block
// accounts for.
func (s *Scan) spanned(first uint64) []SequenceRange {
	var lead []SequenceRange
	switch {
	case s.msgs > 0 && s.firstMsg > first:
		lead = append(lead, SequenceRange{first, s.firstMsg - 1})
	case s.msgs == 0 && s.last >= first:
		lead = append(lead, SequenceRange{first, s.last})
	}
	return append(lead, s.deleted...)
}

// Mark tells the checksum of the last mark in the block.
func (s *Scan) Mark(crc uint32) { s.markCRC = crc }

// Held tells that the block held messages, although the scan may have found none. It is not removed as one
// that is empty, and takes no more records.
func (s *Scan) Held() { s.held, s.appendable = true, false }

// Compressed tells that the file of the block is compressed.
func (s *Scan) Compressed() { s.compressed = true }

// Around tells that the block begins, or ends, with damage of which not all sequences are known.
func (s *Scan) Around(head, end bool) { s.lostHead, s.lostEnd = head, end }

// Unreadable tells that parts of the block could not be read. head is how many records there was room for
// before the first that shows its sequence, and end how many at the end if none does.
func (s *Scan) Unreadable(head, end int) { s.unreadable, s.unnamedHead, s.unnamed = true, head, end }

// Damaged reports whether anything of the block does not verify.
func (s *Scan) Damaged() bool { return s.lostBytes > 0 || len(s.lost) > 0 || s.lostHead || s.lostEnd }

// Had tells which messages the block had before it was damaged, ascending: no others were lost with it. Behind its
// records there was nothing then.
func (s *Scan) Had(sequences []uint64) {
	s.lost = slices.DeleteFunc(s.lost, func(sequence uint64) bool {
		_, had := slices.BinarySearch(sequences, sequence)
		return !had
	})
	s.lostHead, s.lostEnd, s.had = false, false, true
}

// HadKnown reports whether Had has told what the block had.
func (s *Scan) HadKnown() bool { return s.had }

// Find returns where the scan, of records, has found the message of a sequence.
func (s *Scan) Find(sequence uint64) (RecordInfo, bool) {
	if s.table == nil {
		return RecordInfo{}, false
	}
	if i := s.table.Search(sequence); i < s.table.n && s.table.Sequence(i) == sequence {
		return s.table.At(i), true
	}
	return RecordInfo{}, false
}

// Last returns the highest sequence that the block accounts for, 0 when there is none.
func (s *Scan) Last() uint64 { return s.last }

// Table returns what the scan found, as WorkLoad asks for it.
func (s *Scan) Table() *Table { return s.table }

// Messages returns the number of message records found.
func (s *Scan) Messages() uint64 { return s.msgs }

// trim drops the message records whose sequences earlier blocks, which go up to last,
// have used.
func (s *Scan) trim(last uint64) {
	old := s.table
	trimmed := Scan{id: s.id, table: newScannedTable(), lastTime: NoTime, minTime: never, maxTime: math.MinInt64, trimmed: true}
	for i := range old.Len() {
		r := old.At(i)
		var subject []byte
		if r.Subject != noSubject {
			subject = []byte(old.names.list[r.Subject].name)
		}
		if r.Sequence > last {
			trimmed.Message(r.Sequence, r.Time, r.Offset, r.Size, subject)
		}
	}
	if s.last > trimmed.last && s.last > last {
		trimmed.Skip(s.last, s.lastTime)
		trimmed.lastTime, trimmed.timeless = s.lastTime, s.timeless
	}
	trimmed.tombstones, trimmed.floor, trimmed.markCRC, trimmed.held = s.tombstones, s.floor, s.markCRC, s.held
	trimmed.compressed = s.compressed
	trimmed.lostHead, trimmed.lostEnd, trimmed.unnamed = s.lostHead, s.lostEnd, s.unnamed
	trimmed.had, trimmed.hadRemoved, trimmed.hadFloor = s.had, s.hadRemoved, s.hadFloor
	trimmed.unreadable, trimmed.unnamedHead = s.unreadable, s.unnamedHead
	trimmed.lives, trimmed.livesKnown = livesAbove(s.lives, last), s.livesKnown
	trimmed.Finish(s.size, s.appendable, s.lost, s.lostBytes)
	*s = trimmed
}
