package engine

import "github.com/seed-d8b58eba/millrace/engine/stamps"

// Recovery builds an engine from the blocks of a directory.
type Recovery struct {
	e       *Engine
	atLeast uint64 // least last sequence
	first   uint64 // least first sequence
	began   uint64 // sequence that the stream began with, 0 when nobody knows
	empty   []uint32
	kept    int // records in tables that are still in memory
	pending []Tombstone
	// hadRemoved and hadFloor are what RemoveAgain goes by, and again what it has found.
	hadRemoved []Tombstone
	hadFloor   uint64
	again      removedAgain
	open       bool // the last block added may take records
	found      []foundLost
	// loose is the bytes of damage in blocks of which no message is known to be lost. They are counted.
	loose   map[uint32]uint64
	keeps   map[uint32]Kept // by block, see Keep
	ended   Tombstone       // see EndedAt
	secures bool
	frugal  bool
	// tombstoned are the sequences of pending, when somebody has asked for them.
	tombstoned map[uint64]struct{}
}

// keepRecords bounds the tables that recovery keeps until it has seen all tombstones,
// and knows which tables it needs, in records. Tests lower it.
var keepRecords = 1 << 20

// NewRecovery starts a recovery. The engine that comes out publishes into pub.
func NewRecovery(cfg Config, pub *Published) *Recovery {
	return &Recovery{e: newEngine(cfg, pub), loose: make(map[uint32]uint64)}
}

// Generation returns the generation of the blocks of the engine that comes out.
func (r *Recovery) Generation() uint64 { return r.e.generation }

// AtLeast makes the last sequence at least this one. An engine that takes over from a
// failed one must not give a sequence that was acknowledged to another message.
func (r *Recovery) AtLeast(sequence uint64) { r.atLeast = max(r.atLeast, sequence) }

// RemoveBelow removes the messages below a sequence: those that the failed engine had
// removed already, as its readers have seen.
func (r *Recovery) RemoveBelow(sequence uint64) { r.first = max(r.first, sequence) }

// NextBlockAfter makes the numbers of new blocks higher than id.
func (r *Recovery) NextBlockAfter(id uint32) { r.e.lastID = max(r.e.lastID, id) }

// Frugal has MaxAge wait at the last block until the engine serves: a stream that has become too old as a whole needs a
// block more to show its last sequence, for which there may be no room before those that are too old are gone.
func (r *Recovery) Frugal() { r.frugal = true }

// Fits reports whether all messages of a block are above those of the blocks before
// it. If not, Add has to look at its records, and must not get a scan that was filled
// from a block index.
func (r *Recovery) Fits(s *Scan) bool { return s.msgs == 0 || s.firstMsg > r.e.last() }

// Add takes the scan of the next block, in order of block numbers.
func (r *Recovery) Add(s *Scan) {
	e := r.e
	e.lastID = max(e.lastID, s.id)
	last := e.counts[countLast]
	if s.index == nil && !r.Fits(s) {
		s.trim(last)
	}
	if s.Damaged() {
		r.found = append(r.found, foundIn(s))
	}
	r.pending = append(r.pending, s.tombstones...)
	r.hadRemoved, r.hadFloor = append(r.hadRemoved, s.hadRemoved...), max(r.hadFloor, s.hadFloor)
	if s.floor > 0 && s.floor >= e.floor.first {
		e.floor = floor{first: s.floor, block: s.id}
	}
	r.open = false
	if s.first == 0 && s.last == 0 && s.floor == 0 && s.lostBytes == 0 && !s.trimmed && !s.held {
		r.empty = append(r.empty, s.id)
		if s.size > 0 || !s.appendable {
			return
		}
		// An empty file at the end takes the next records; see EmptyBlocks.
	}
	b := &block{
		id: s.id, last: max(s.last, last), lastRecord: s.lastRecord, odd: s.trimmed || s.unreadable, proves: s.last, msgs: s.msgs, bytes: s.bytes, size: s.size,
		maxTime: s.maxTime, scannedSize: s.size, view: newBlockView(s.id, e.generation, last+1, nil), sealed: true, markCRC: s.markCRC,
		times: stamps.Between(s.minTime, s.maxTime), due: never, around: stamps.None,
		damaged: s.Damaged() || s.held, allLost: s.held || s.unreadable || s.msgs == 0 && s.lostBytes > 0, tombstones: len(s.tombstones) > 0,
		compressed: s.compressed,
	}
	b.tailFrom = b.last + 1
	b.view.lastTime.Store(b.maxTime)
	for _, r := range s.spanned(last + 1) {
		b.deleted.add(r.First, r.Last)
	}
	b.publishDeleted()
	if s.lastUnsure {
		b.lastRecord = 0
	}
	if s.msgs > 0 {
		b.firstMsg, b.hasIndex = s.firstMsg, s.index != nil
		b.firstLive, b.firstTime = s.firstMsg, s.firstTime
		b.few = s.countSubjects(e.subjects)
		r.addLives(b, s)
	}
	if s.last >= last && s.last > 0 {
		e.counts[countLast] = s.last
		switch {
		case s.lastTime != NoTime:
			e.lastTime = s.lastTime
		case s.timeless && e.lastTime == NoTime:
			e.lastTime = 0
		}
	}
	e.counts[countMessages] += s.msgs
	e.counts[countBytes] += s.bytes
	e.addBlock(b)
	r.open = s.appendable && s.size < e.cfg.BlockSize
	r.keep(b, s.table)
}

// keep holds on to tables while they are few, and to those of the blocks from which
// limits remove messages first.
func (r *Recovery) keep(b *block, t *Table) {
	if t == nil {
		return
	}
	if r.kept+t.n <= keepRecords || r.e.cfg.Limits.evicts() && r.e.nearHead(b) {
		b.scanned = t
		r.kept += t.n
	}
}

// EmptyBlocks returns the blocks that hold nothing and may be removed. The block
// with the highest number is not among them: it takes the next records.
func (r *Recovery) EmptyBlocks() []uint32 {
	if n := len(r.empty); n > 0 && r.empty[n-1] == r.e.lastID {
		return r.empty[:n-1]
	}
	return r.empty
}

// Finish returns the engine. It is not open yet: the shell takes Readys and
// completes their work until Opening is false.
func (r *Recovery) Finish(now int64) *Engine {
	r.Settle()
	e := r.e
	e.now, e.steady = now, now
	e.deleteBlocks(r.EmptyBlocks())
	if n := len(e.blocks); n > 0 && r.open && e.blocks[n-1].id == e.lastID {
		e.tail = e.blocks[n-1]
		e.tail.sealed = false
		e.tail.codec = e.cfg.Codec.Block(e.tail.id)
	}
	last := e.last()
	found := logPoint{sequence: last}
	if first := e.cfg.FirstSequence; last == 0 && first > 1 && first < maxSequence {
		found.sequence = first - 1 // there are no messages to lose below it
	}
	for _, b := range e.blocks {
		if b != e.tail && !b.hasIndex {
			e.indexing.sealed(e, b)
		}
	}
	e.durability.lastWrite = now
	if n := len(e.blocks); n > 0 {
		found.end = Position{e.blocks[n-1].id, e.blocks[n-1].size}
	}
	e.durability.durable, e.durability.synced, e.durability.written = found, found, found
	e.opening = &opening{tombstones: e.targets(r.pending), first: max(r.first, e.floor.first), unwritten: r.first > e.floor.first && r.holdsBelow(r.first),
		keeping: keeping{blocks: r.keeps}, frugal: r.frugal, secures: r.secures || r.keeps != nil}
	e.stamp = e.lastTime // new messages get no earlier time, unless it is from far ahead of the clock
	e.refreshFirst()
	e.watchAges()
	if last == 0 {
		e.counts[countFirst] = 0
	}
	switch first := e.cfg.FirstSequence; {
	case last == 0 && first > 1 && first < maxSequence && r.atLeast < first:
		e.counts[countLast], e.counts[countFirst] = first-1, first
		e.tombstone(first-1, NoTime)
		e.tail.last = first - 1
	case r.atLeast > last:
		e.skipTo(r.atLeast, r.endTime())
	}
	return e
}

// holdsBelow reports whether a block has a message below a sequence.
func (r *Recovery) holdsBelow(sequence uint64) bool {
	for _, b := range r.e.blocks {
		if b.firstMsg > 0 {
			return b.firstMsg < sequence
		}
	}
	return false
}

// Deleted returns the sequences between the first and the last that hold no
// message, staged changes included, ascending and disjoint.
func (e *Engine) Deleted() []SequenceRange {
	state := e.numbers.state()
	deleted := newDeletedRanges(&state)
	for _, b := range e.blocks {
		deleted.add(b.deleted.settled())
	}
	return deleted.ranges
}
