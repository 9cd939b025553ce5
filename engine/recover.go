package engine

import (
	"math"
	"slices"
)

// Scan collects what one block file holds. Scans of different blocks may be
// filled by different goroutines.
type Scan struct {
	id         uint32
	size       int64
	appendable bool
	table      *Table
	first      uint64 // as the format counts: first message, or what follows leading skips
	last       uint64
	lastTime   int64
	maxTime    int64
	msgs       uint64
	bytes      uint64
	deleted    []SequenceRange
	tombstones []Tombstone
	lost       []uint64
	lostBytes  int64
	timeless   bool // the last record was of an erased message: it kept no time
	trimmed    bool
	index      *indexedSubjects // of a scan that was filled from an index
	firstMsg   uint64           // first message
	firstTime  int64            // its time
}

// NewScan starts the scan of a block.
func NewScan(id uint32) *Scan {
	return &Scan{id: id, table: newScannedTable(), lastTime: NoTime, maxTime: math.MinInt64}
}

// Message adds a message record. Records whose sequence is not above all before
// are not messages of the stream.
func (s *Scan) Message(sequence uint64, time int64, offset int64, size int, subject []byte) {
	if sequence <= s.last || sequence >= maxSequence {
		return
	}
	if s.msgs == 0 {
		s.first, s.firstMsg, s.firstTime = sequence, sequence, time
	} else if sequence > s.last+1 {
		s.gap(s.last+1, sequence-1)
	}
	s.table.scanned(sequence, time, offset, size, subject)
	s.msgs++
	s.bytes += uint64(size)
	s.last, s.lastTime, s.timeless = sequence, time, false
	s.maxTime = max(s.maxTime, time)
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
		s.gap(s.last+1, sequence)
	}
	s.last = sequence
	// An erased message keeps no time; its tombstone has it.
	if s.timeless = time == 0; !s.timeless {
		s.lastTime = time
	}
}

func (s *Scan) gap(first, last uint64) {
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

// Finish ends the scan. size is where the next record would go; appendable says
// that it may go there. lost names the sequences of damaged records, as far as
// they are known.
func (s *Scan) Finish(size int64, appendable bool, lost []uint64, lostBytes int64) {
	s.size, s.appendable, s.lost, s.lostBytes = size, appendable, lost, lostBytes
	s.table.index = nil
	// A tombstone proves that its sequence was in use once.
	for _, t := range s.tombstones {
		if t.Sequence > s.last || t.Sequence == s.last && s.timeless {
			if s.msgs > 0 && t.Sequence > s.last {
				s.gap(s.last+1, t.Sequence)
			}
			s.last, s.lastTime, s.timeless = t.Sequence, t.Time, false
		}
	}
}

// spanned lists the sequences from first to the last one that the block accounts
// for which are not live.
func (s *Scan) spanned(first uint64) []SequenceRange {
	var lead []SequenceRange
	switch {
	case s.msgs > 0 && s.firstMsg > first:
		lead = append(lead, SequenceRange{first, s.firstMsg - 1})
	case s.msgs == 0 && s.last >= first:
		lead = append(lead, SequenceRange{first, s.last})
	}
	return mergeRanges(lead, s.deleted)
}

// Table returns what the scan found, as WorkLoad asks for it.
func (s *Scan) Table() *Table { return s.table }

// Messages returns the number of message records found.
func (s *Scan) Messages() uint64 { return s.msgs }

// trim drops records that an earlier block has used already.
func (s *Scan) trim(last uint64) {
	old := s.table
	trimmed := Scan{id: s.id, table: newScannedTable(), lastTime: NoTime, maxTime: math.MinInt64, trimmed: true}
	for i := 0; i < old.n; i++ {
		sequence, offset, size := old.Record(i)
		var subject []byte
		if own := old.chunks[i/slotsPerChunk][i%slotsPerChunk].subject; own != noSubject {
			subject = []byte(old.names[own])
		}
		if sequence > last {
			trimmed.Message(sequence, old.timeAt(i), offset, size, subject)
		}
	}
	if s.last > trimmed.last && s.last > last {
		trimmed.Skip(s.last, s.lastTime)
		trimmed.lastTime, trimmed.timeless = s.lastTime, s.timeless
	}
	trimmed.tombstones = s.tombstones
	trimmed.Finish(s.size, s.appendable, s.lost, s.lostBytes)
	*s = trimmed
}

// Recovery builds an engine from the blocks of a directory.
type Recovery struct {
	e       *Engine
	atLeast uint64 // least last sequence
	first   uint64 // least first sequence
	empty   []uint32
	kept    int // records in tables that are still in memory
	pending []Tombstone
	open    bool // the last block added may take records
}

// keepRecords bounds the tables that recovery keeps until it knows which it
// needs, in records. Tests lower it.
var keepRecords = 1 << 20

// NewRecovery starts a recovery. The engine that comes out publishes into pub.
func NewRecovery(cfg Config, pub *Published) *Recovery {
	return &Recovery{e: newEngine(cfg, pub)}
}

// AtLeast makes the last sequence at least this one. An engine that takes over
// from a failed one must not give out a sequence that was acknowledged.
func (r *Recovery) AtLeast(sequence uint64) { r.atLeast = max(r.atLeast, sequence) }

// RemoveBelow removes what is below a sequence. Readers of the failed engine have
// seen it gone.
func (r *Recovery) RemoveBelow(sequence uint64) { r.first = max(r.first, sequence) }

// NextBlockAfter makes the numbers of new blocks higher than id.
func (r *Recovery) NextBlockAfter(id uint32) { r.e.lastID = max(r.e.lastID, id) }

// Fits reports whether a block goes on where the one before it ended. If not, its
// scan must not be one that was filled from an index.
func (r *Recovery) Fits(s *Scan) bool { return s.msgs == 0 || s.firstMsg > r.e.last() }

// Add takes the scan of the next block, in order of block numbers.
func (r *Recovery) Add(s *Scan) {
	e := r.e
	e.lastID = max(e.lastID, s.id)
	last := e.numbers[countLast]
	if s.index == nil && !r.Fits(s) {
		s.trim(last)
	}
	e.numbers[countLostMessages] += uint64(len(s.lost))
	e.numbers[countLostBytes] += uint64(s.lostBytes)
	for _, sequence := range s.lost {
		r.AtLeast(sequence)
	}
	r.pending = append(r.pending, s.tombstones...)
	r.open = false
	if s.first == 0 && s.last == 0 && s.lostBytes == 0 && !s.trimmed {
		r.empty = append(r.empty, s.id)
		if s.size > 0 || !s.appendable {
			return
		}
		// An empty file at the end takes the next records; see EmptyBlocks.
	}
	b := &block{
		id: s.id, last: max(s.last, last), proves: s.last, msgs: s.msgs, bytes: s.bytes, size: s.size,
		maxTime: s.maxTime, oldSize: s.size, view: newBlockView(s.id, last+1, nil), sealed: true,
	}
	b.tailFrom = b.last + 1
	b.view.lastTime.Store(b.maxTime)
	b.setDeleted(s.spanned(last + 1))
	b.publishDeleted()
	if s.msgs > 0 {
		b.firstMsg, b.indexed = s.firstMsg, s.index != nil
		b.firstLive, b.firstTime = s.firstMsg, s.firstTime
		s.countSubjects(e.index)
	}
	if s.last >= last && s.last > 0 {
		e.numbers[countLast] = s.last
		none := NoTime
		switch {
		case s.lastTime != NoTime:
			e.numbers[countLastTime] = uint64(s.lastTime)
		case s.timeless && e.numbers[countLastTime] == uint64(none):
			e.numbers[countLastTime] = 0
		}
	}
	e.numbers[countMessages] += s.msgs
	e.numbers[countBytes] += s.bytes
	e.blocks = append(e.blocks, b)
	r.open = s.appendable && s.size < e.cfg.BlockSize
	r.keep(b, s.table)
}

// keep holds on to tables while they are few, and to those that limits reach
// first.
func (r *Recovery) keep(b *block, t *Table) {
	if t == nil {
		return
	}
	if r.kept+t.n <= keepRecords || r.e.cfg.Limits.evicts() && r.e.nearHead(b) {
		b.old = t
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
	e := r.e
	e.now = now
	e.dropEmpty(r.EmptyBlocks())
	if n := len(e.blocks); n > 0 && r.open && e.blocks[n-1].id == e.lastID {
		e.tail = e.blocks[n-1]
		e.tail.sealed = false
		e.tail.codec = e.cfg.Codec.Block(e.tail.id)
	}
	last := e.last()
	found := mark{sequence: last}
	if first := e.cfg.FirstSequence; last == 0 && first > 1 && first < maxSequence {
		found.sequence = first - 1 // there are no messages to lose below it
	}
	for _, b := range e.blocks {
		if b != e.tail && !b.indexed {
			e.indexing.sealed(e, b)
		}
	}
	e.durability.lastWrite = now
	if n := len(e.blocks); n > 0 {
		found.end = Position{e.blocks[n-1].id, e.blocks[n-1].size}
	}
	e.durability.durable, e.durability.synced, e.durability.written = found, found, found
	e.opening = &opening{tombstones: e.targets(r.pending), first: r.first}
	// Times do not go back when the clock has, unless a message came from far
	// ahead.
	if time := int64(e.numbers[countLastTime]); time < now+clockSlack {
		e.stamp = time
	}
	e.refreshFirst()
	if last == 0 {
		e.numbers[countFirst] = 0
	}
	switch first := e.cfg.FirstSequence; {
	case last == 0 && first > 1 && first < maxSequence && r.atLeast < first:
		e.numbers[countLast], e.numbers[countFirst] = first-1, first
		e.tombstone(first-1, NoTime)
		e.tail.last = first - 1
	case r.atLeast > last:
		e.skipTo(r.atLeast, e.skipTime())
	}
	return e
}

func (e *Engine) dropEmpty(ids []uint32) {
	e.blocks = slices.DeleteFunc(e.blocks, func(b *block) bool { return slices.Contains(ids, b.id) })
}

// opening is what recovery still has to do when all blocks are scanned.
type opening struct {
	tombstones map[*block][]uint64
	first      uint64 // what is below was removed before
	limited    bool
}

// Opening reports whether the engine is not ready to serve yet.
func (e *Engine) Opening() bool { return e.opening != nil && e.failed == nil }

// targets sorts tombstones by the block that holds what they delete.
func (e *Engine) targets(tombstones []Tombstone) map[*block][]uint64 {
	targets := make(map[*block][]uint64)
	for _, t := range tombstones {
		i, _ := slices.BinarySearchFunc(e.blocks, t.Sequence, func(b *block, sequence uint64) int {
			if b.last < sequence {
				return -1
			}
			return 1
		})
		if i < len(e.blocks) && e.blocks[i].msgs > 0 && e.blocks[i].firstMsg <= t.Sequence {
			targets[e.blocks[i]] = append(targets[e.blocks[i]], t.Sequence)
		}
	}
	return targets
}

// open goes on with what is left of opening, as far as tables are in memory.
func (e *Engine) open() {
	o := e.opening
	if o == nil {
		return
	}
	for _, b := range e.blocks {
		targets := o.tombstones[b]
		if len(targets) == 0 {
			continue
		}
		if b.old == nil {
			e.request(b)
			continue
		}
		e.bury(b, targets)
		delete(o.tombstones, b)
	}
	if len(o.tombstones) > 0 {
		return
	}
	if !o.limited {
		e.refreshHead()
		if !e.removeBelow(o.first) || !e.tablesReady(0, 0) {
			return
		}
		e.enforce()
		o.limited = true
	}
	e.expire()
	for _, b := range e.blocks {
		if b.loading {
			return
		}
	}
	e.opened()
}

// removeBelow removes what is below a sequence. It reports false when a table for
// that is not in memory yet.
func (e *Engine) removeBelow(first uint64) bool {
	for b := e.head(); b != nil && b.firstLive < first; b = e.head() {
		if _, loaded := b.table(b.firstLive); !loaded {
			e.request(b)
			return false
		}
		if !e.removeHead(countRemovedMsgs, func(b *block) bool { return b.last < first }) {
			return false
		}
	}
	return true
}

// opened publishes the recovered stream and frees what only recovery needed.
func (e *Engine) opened() {
	e.opening = nil
	e.lostAtOpen = e.numbers[countLostMessages]
	for _, b := range e.blocks {
		if !e.cfg.Limits.evicts() || !e.nearHead(b) {
			b.old = nil
		}
	}
	e.fillNumbers()
	e.viewChanged = false
	e.pub.turn.Add(1)
	e.pub.view.Store(e.currentView())
	e.pub.showTree(e.index.Tree())
	e.pub.publish(&e.numbers)
	e.pub.turn.Add(1)
	e.unpark()
}

// refreshHead finds the head after tombstones were applied.
func (e *Engine) refreshHead() {
	if len(e.blocks) == 0 || e.last() == 0 {
		return
	}
	if e.blocks[0].msgs == 0 {
		e.dropEmptied()
	}
	e.refreshFirst()
}

// bury removes the messages that tombstones name from a block whose table is in
// memory.
func (e *Engine) bury(b *block, targets []uint64) {
	slices.Sort(targets)
	targets = slices.Compact(targets)
	var gone []SequenceRange
	for _, sequence := range targets {
		i := b.old.Search(sequence)
		if i == b.old.n || b.old.sequenceAt(i) != sequence {
			continue
		}
		e.takeMessage(b, b.old, i)
		gone = append(gone, SequenceRange{sequence, sequence})
	}
	b.setDeleted(mergeRanges(b.deleted, gone))
	b.publishDeleted()
	if b.msgs > 0 && inRanges(b.deleted, b.firstLive) {
		b.inLive, b.cursor = false, b.old.Search(b.firstLive)
		if !b.advance() {
			e.loseRest(b)
		}
	}
}

// mergeRanges joins two ascending lists of ranges.
func mergeRanges(a, b []SequenceRange) []SequenceRange {
	merged := make([]SequenceRange, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		var next SequenceRange
		if len(b) == 0 || len(a) > 0 && a[0].First <= b[0].First {
			next, a = a[0], a[1:]
		} else {
			next, b = b[0], b[1:]
		}
		if n := len(merged); n > 0 && next.First <= merged[n-1].Last+1 {
			merged[n-1].Last = max(merged[n-1].Last, next.Last)
		} else {
			merged = append(merged, next)
		}
	}
	return merged
}

// Deleted returns the sequences between the first and the last that are not
// live, staged changes included, ascending and disjoint.
func (e *Engine) Deleted() []SequenceRange {
	gaps := make([]*Gaps, len(e.blocks))
	for i, b := range e.blocks {
		gaps[i] = &Gaps{ranges: b.deleted}
	}
	state := stateOf(&e.numbers)
	return joinGaps(gaps, &state)
}
