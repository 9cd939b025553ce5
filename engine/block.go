package engine

import "github.com/seed-d8b58eba/millrace/engine/stamps"

// block is what the engine knows of one block file.
type block struct {
	id uint32
	// createdIn is the group that created the file, 0 when recovery found it.
	createdIn uint64
	// proves is the highest sequence that a record of this block shows to have
	// been used: the last sequence survives while such a block does.
	proves   uint64
	firstMsg uint64 // sequence of the first message record, 0 when there is none
	last     uint64 // highest sequence that the block accounts for
	// lastRecord is the sequence of the last message or skip in it, 0 when there is none, or it is not known.
	lastRecord uint64
	msgs       uint64 // live messages
	bytes      uint64 // their accounted size
	size       int64  // length of the records in it, written or not

	firstLive uint64 // lowest live sequence, while msgs > 0
	firstTime int64  // its time
	allLost   bool   // the last messages that it had were lost through damage, or may be readable again
	timeStale bool   // firstTime is of a message before it
	maxTime   int64  // highest time of a message in the block
	// times are of the messages that MaxAge may remove, and some that are gone; due is when it looks at the
	// block next, or never.
	times stamps.Summary
	due   int64
	// around is the highest time that was around those which are ahead of the clock, when MaxAge last looked.
	around int64
	lives  *lives // nil when no message has a life of its own
	unseen uint8  // which messages have one is not known: 1, and one more for each time that it could not be read

	// deleted holds the sequences from the first that the block spans to last that
	// have no message. What was removed from the head of the stream is not in it:
	// it lies below the stream's first sequence.
	deleted deletedSet

	// Two tables list the block's records. Those of sequences from tailFrom on were
	// appended since the block got its memory, and are in appended. Those below are
	// in the first scannedSize bytes of the file; they are in scanned when the shell
	// has loaded that, which it does while loading is true.
	tailFrom    uint64
	appended    *Table
	scanned     *Table
	scannedSize int64
	loading     bool
	lent        bool  // scanned was loaded for a removal, see returnLent
	wanted      bool  // a limit waits for the load that is out
	retryAt     int64 // a load failed; no other one before this time
	used        int64 // when a command looked at the tables last
	// failed counts the loads in a row that failed while a limit waited for them. After
	// mostLoads the block is unreadable for the limit, see unreadable.
	failed int
	// cursor is the index of the first live record in appended, if inAppended, or
	// else in scanned.
	cursor     int
	inAppended bool

	// thinned tells that messages of the block were removed or lost, so that its records are more than
	// its messages.
	thinned bool
	// thinnedIn is the number of the group that did so last, or of one behind it: see groupNumber.
	thinnedIn uint64
	// tombstones tells that there may be tombstones in the block that are of use to others.
	tombstones bool
	// few counts the messages that it was given by subject, nil where they are of many subjects, or that is not known.
	few *fewSubjects
	// damaged tells that records of it are known to be lost, or bytes of it to be none.
	damaged bool
	// odd tells that recovery passed over records of it, or could not read some.
	odd bool
	// moving tells that its tombstones are being read, to be written again elsewhere.
	moving bool

	memory memory
	codec  BlockCodec
	// markCRC is the checksum of the last mark in the block, with which that of the next one begins.
	markCRC uint32
	view    *BlockView
	// sealed blocks take no more records.
	sealed   bool
	sealedAt int64 // when it became that, or was written anew; 0 before
	queued   bool  // for a compaction
	// passedOver tells that the block has no index since it was queued when its turn came.
	passedOver bool
	compacted  int64 // live bytes when it was compacted last, or that failed; 0 before
	compressed bool  // its file is
	// incompressible tells that it is not worth compressing, or could not be.
	incompressible bool
	// hasIndex tells that recovery found a block index that is of use.
	hasIndex bool
}

// table returns the table that lists a sequence, or reports that it has to be
// loaded.
func (b *block) table(sequence uint64) (t *Table, loaded bool) {
	if sequence >= b.tailFrom {
		return b.appended, true
	}
	return b.scanned, b.scanned != nil
}

// head returns the table and index of the block's first live record.
func (b *block) head() (t *Table, i int, loaded bool) {
	t, loaded = b.table(b.firstLive)
	if !loaded {
		return nil, 0, false
	}
	inAppended := b.firstLive >= b.tailFrom
	if inAppended != b.inAppended || b.cursor >= t.n || t.Sequence(b.cursor) != b.firstLive {
		b.inAppended, b.cursor = inAppended, t.Search(b.firstLive)
	}
	return t, b.cursor, b.cursor < t.n && t.Sequence(b.cursor) == b.firstLive
}

// advance moves firstLive past the record at the cursor. It reports false when
// the tables in memory hold no further live record.
func (b *block) advance() bool {
	for {
		t := b.scanned
		if b.inAppended {
			t = b.appended
		}
		b.cursor++
		if b.cursor >= t.n {
			if b.inAppended || b.appended == nil {
				return false
			}
			b.inAppended, b.cursor = true, -1
			continue
		}
		if sequence := t.Sequence(b.cursor); !b.deleted.contains(sequence) {
			b.firstLive, b.firstTime, b.timeStale = sequence, t.slot(b.cursor).time, false
			return true
		}
	}
}

// remember accounts a message record that was added to the block.
func (b *block) remember(sequence uint64, time int64, size uint64, now int64, ages bool) {
	if b.firstMsg == 0 {
		b.firstMsg = sequence
	}
	if sequence > b.last+1 {
		b.deleted.add(b.last+1, sequence-1)
	}
	if b.msgs == 0 {
		b.firstLive, b.firstTime = sequence, time
	}
	b.maxTime = max(b.maxTime, time)
	if ages {
		b.times.Add(time, now)
	}
	b.proves, b.lastRecord = sequence, sequence
	b.msgs++
	b.bytes += size
	b.last = sequence
}

// publishDeleted lets readers see what is deleted in the block.
func (b *block) publishDeleted() {
	if d := b.deleted.snapshot(); d != nil {
		b.view.deleted.Store(d)
	}
}

// forgetTables leaves the block's records to the file.
func (b *block) forgetTables() {
	b.appended, b.scanned, b.inAppended = nil, nil, false
	b.tailFrom, b.scannedSize = b.last+1, b.size
}
