package engine

import "slices"

// LostRange is sequences whose messages were lost through damage, and the block that had them.
type LostRange struct {
	SequenceRange
	Block uint32
	Bytes uint64 // how much was lost with them, as far as that is known
}

// Loss tells the engine of written messages of a block that a reader has found to be damaged or missing.
type Loss struct {
	LostRange
	Generation uint64 // of the block, as the reader's view has it
	// Subject is that of the messages, if SubjectKnown; it may be empty.
	Subject      string
	SubjectKnown bool
}

// lostList is the lost ranges of a stream, ascending and disjoint. A list that readers have been shown does
// not change.
type lostList []LostRange

// search returns the index of the first range that does not end before a sequence.
func (l lostList) search(sequence uint64) int {
	i, _ := slices.BinarySearchFunc(l, sequence, func(r LostRange, sequence uint64) int {
		if r.Last < sequence {
			return -1
		}
		return 1
	})
	return i
}

// with returns the list with one more range, as far as it is not in the list already. The first part of it
// that is not has its bytes.
func (l lostList) with(r LostRange) lostList {
	out := make(lostList, 0, len(l)+1)
	i := 0
	for ; i < len(l) && l[i].Last < r.First; i++ {
		out = append(out, l[i])
	}
	for next := r.First; ; {
		if i < len(l) && l[i].First <= r.Last {
			if next < l[i].First {
				out = out.join(LostRange{SequenceRange{next, l[i].First - 1}, r.Block, r.Bytes})
				r.Bytes = 0
			}
			out = out.join(l[i])
			next = l[i].Last + 1
			i++
			continue
		}
		if next <= r.Last {
			out = out.join(LostRange{SequenceRange{next, r.Last}, r.Block, r.Bytes})
		}
		break
	}
	for ; i < len(l); i++ {
		out = out.join(l[i])
	}
	return out
}

// join appends a range, which becomes one with the last if it goes on from it in the same block.
func (l lostList) join(r LostRange) lostList {
	if n := len(l); n > 0 && l[n-1].Block == r.Block && l[n-1].Last+1 == r.First {
		l[n-1].Last = r.Last
		l[n-1].Bytes += r.Bytes
		return l
	}
	return append(l, r)
}

// addLost notes lost sequences for readers. They are deleted as well.
func (e *Engine) addLost(r LostRange) {
	e.lost = e.lost.with(r)
	e.lostChanged, e.telling.wanted = true, true
}

// telling says what of the losses is still to be written down.
type telling struct {
	wanted bool // something was lost since the last time
	out    bool // a WorkTell is out
}

// tell has what readers are shown to be lost written down, once at a time.
func (e *Engine) tell() {
	if t := &e.telling; t.wanted && !t.out {
		*t = telling{out: true}
		e.schedule(WorkTell, 0, 0)
	}
}

// told takes the completion of that.
func (e *Engine) told() {
	e.telling.out = false
	e.tell()
}

// addLostBytes counts bytes that were lost with messages of a block which are known to be lost. The last range
// of the block has them.
func (e *Engine) addLostBytes(block uint32, bytes uint64) {
	e.counts[countLostBytes] += bytes
	for i := len(e.lost) - 1; i >= 0 && bytes > 0; i-- {
		if e.lost[i].Block == block {
			e.lost = slices.Clone(e.lost)
			e.lost[i].Bytes += bytes
			e.lostChanged, e.telling.wanted = true, true
			return
		}
	}
}

// Lost returns what is lost, ascending and disjoint.
func (e *Engine) Lost() []LostRange { return slices.Clone(e.lost) }

// dropLost forgets what was lost of the blocks that are gone from the head of the stream.
func (e *Engine) dropLost() {
	first := e.counts[countLast] + 1
	if len(e.blocks) > 0 {
		first = e.blocks[0].view.First
	}
	if n := e.lost.search(first); n > 0 {
		e.lost = slices.Clone(e.lost[n:])
		e.lostChanged = true
	}
}

// Lost returns the range of lost sequences that a sequence is in, if its message was lost through damage.
// Such a sequence is also deleted, or below the first. Whoever has seen it deleted sees it lost.
func (p *Published) Lost(sequence uint64) (LostRange, bool) {
	lost := p.lostList()
	if i := lost.search(sequence); i < len(lost) && lost[i].First <= sequence {
		return lost[i], true
	}
	return LostRange{}, false
}

// LostWithin returns the ranges of lost sequences that have any of from..to, clipped to that, in order.
func (p *Published) LostWithin(from, to uint64) (ranges []LostRange) {
	lost := p.lostList()
	for i := lost.search(from); i < len(lost) && lost[i].First <= to; i++ {
		r := lost[i]
		r.First, r.Last = max(r.First, from), min(r.Last, to)
		ranges = append(ranges, r)
	}
	return ranges
}

// Floor returns the first sequence of which readers are told anything: the first lost one, if that is below
// the first live one.
func (p *Published) Floor() uint64 {
	first := p.First()
	if lost := p.lostList(); len(lost) > 0 {
		return min(first, lost[0].First)
	}
	return first
}

// lostList returns what readers are shown of what is lost.
func (p *Published) lostList() lostList {
	if list := p.lost.Load(); list != nil {
		return *list
	}
	return nil
}

// showLost shows readers what is lost. The deleted sets that it is also in are shown after that.
func (e *Engine) showLost() {
	if e.lostChanged {
		e.lostChanged = false
		list := e.lost
		e.pub.lost.Store(&list)
		e.tell()
	}
}

// Lose takes messages out of the stream that a reader has found to be lost: those of them that are live. It
// returns how many these are. What is deleted already, or is of another generation of the block, is passed
// over, so that a loss that many readers tell of is counted once.
func (e *Engine) Lose(l Loss) (lost uint64) {
	if e.failed != nil || e.stopped || !e.serving() {
		return 0
	}
	i := slices.IndexFunc(e.blocks, func(b *block) bool { return b.id == l.Block })
	if i < 0 || e.blocks[i].view.Generation != l.Generation || e.blocks[i].msgs == 0 {
		return 0
	}
	b := e.blocks[i]
	for _, r := range b.liveWithin(max(l.First, b.firstLive), min(l.Last, b.last)) {
		if b.msgs > 0 {
			lost += e.loseRange(b, &l, r.First, r.Last)
		}
	}
	if lost == 0 {
		return 0
	}
	if b.msgs == 0 {
		b.allLost = true
		e.dropEmptied()
	} else if b.deleted.contains(b.firstLive) {
		b.firstLive = b.deleted.settled().liveAfter(b.firstLive)
		e.refreshFirstTime(b)
	}
	e.refreshFirst()
	e.current.deletes(b)
	return lost
}

// liveWithin returns the ranges of the sequences first..last that are not deleted.
func (b *block) liveWithin(first, last uint64) (live []SequenceRange) {
	next := first
	b.deleted.settled().each(first, last, func(from, to uint64) {
		if next < from {
			live = append(live, SequenceRange{next, from - 1})
		}
		next = to + 1
	})
	if next <= last {
		live = append(live, SequenceRange{next, last})
	}
	return live
}

// reconcile takes a table that was read from the file of a block: messages that the block should have and
// the table does not list are lost.
func (e *Engine) reconcile(b *block, t *Table) {
	if b.msgs == 0 || !e.serving() {
		return
	}
	lose := func(first, last uint64) {
		if first <= last && b.deleted.settled().liveAfter(first) <= last {
			e.Lose(Loss{LostRange: LostRange{SequenceRange: SequenceRange{first, last}, Block: b.id}, Generation: b.view.Generation})
		}
	}
	next := b.firstLive
	for i := t.Search(next); i < t.n && b.msgs > 0; i++ {
		sequence := t.Sequence(i)
		lose(next, min(sequence-1, b.tailFrom-1))
		next = sequence + 1
	}
	lose(next, min(b.last, b.tailFrom-1))
}

// loseRange takes the live messages first..last, which have no deleted sequence between them, out of a block.
func (e *Engine) loseRange(b *block, l *Loss, first, last uint64) uint64 {
	n := min(last-first+1, b.msgs)
	bytes, removals := l.Bytes, len(e.current.removals)
	if listed, ok := e.loseListed(b, first, last); ok {
		bytes = listed
		l = &Loss{LostRange: l.LostRange, SubjectKnown: true}
	} else if bytes == 0 || l.First != l.Last {
		bytes = uint64(e.emptySize) * n // at least: see settleBytes
	}
	if bytes = min(bytes, b.bytes); n == b.msgs {
		bytes = b.bytes
	}
	if l.Subject != "" {
		if id, ok := e.subjects.Lookup(l.Subject); ok {
			for sequence := first; sequence <= last; sequence++ {
				e.remove(b, id, sequence)
			}
		}
	}
	if !l.SubjectKnown {
		e.countAnew(b)
	}
	e.noteLost(n, bytes, removals)
	b.damaged = true
	e.noteThinned(b)
	b.msgs -= n
	b.bytes -= bytes
	e.counts[countMessages] -= n
	e.counts[countBytes] -= bytes
	e.counts[countLostMessages] += n
	e.counts[countLostBytes] += bytes
	e.endLives(b, first, last)
	b.deleted.add(first, last)
	e.addLost(LostRange{SequenceRange{first, last}, b.id, bytes})
	return n
}

// loseListed takes the subjects of lost messages from the table of their block, and returns their bytes. It
// is false when that is not in memory, or does not list all of them.
func (e *Engine) loseListed(b *block, first, last uint64) (bytes uint64, ok bool) {
	if last-first >= b.msgs {
		return 0, false
	}
	for sequence := first; sequence <= last; sequence++ {
		if _, _, ok := b.record(sequence); !ok {
			return 0, false
		}
	}
	for sequence := first; sequence <= last; sequence++ {
		t, i, _ := b.record(sequence)
		bytes += uint64(t.slot(i).size())
		e.remove(b, t.subjectOf(e.subjects, i), sequence)
	}
	return bytes, true
}

// refreshFirstTime brings the time of a block's first live message up to date from the block's table. Until
// that is loaded, the time of the message before stands: the block may be looked at too early.
func (e *Engine) refreshFirstTime(b *block) {
	t, i, found := b.head()
	switch {
	case found:
		b.firstTime, b.timeStale = t.slot(i).time, false
	case t == nil:
		e.request(b)
	}
}
