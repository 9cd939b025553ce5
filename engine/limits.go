package engine

// expiry says when messages expire next.
type expiry struct {
	due   int64
	ran   int64 // when they did last
	waits bool  // the last run waits for a table
	// retry is when a table that could not be read is worth another attempt.
	retry int64
}

// expiryDistance is the least time between two runs that remove expired
// messages, in nanoseconds.
const expiryDistance = int64(250e6)

// tablesReady reports whether the tables are in memory that enforcing the limits
// will need once n more messages of so many bytes are in. It asks for the first
// that is missing.
func (e *Engine) tablesReady(n, bytes uint64) bool {
	l := &e.cfg.Limits
	if l.Discard != DiscardOld {
		return true
	}
	var msgs, size int64
	if l.MaxMsgs > 0 {
		msgs = int64(e.numbers[countMessages]+n) - l.MaxMsgs
	}
	if l.MaxBytes > 0 {
		size = int64(e.numbers[countBytes]+bytes) - l.MaxBytes
	}
	for _, b := range e.blocks {
		if msgs <= 0 && size <= 0 {
			return true
		}
		if b.msgs == 0 {
			continue
		}
		if _, loaded := b.table(b.firstLive); !loaded && !e.request(b) {
			// It cannot be read at the moment. Eviction waits; stores do not.
			return true
		} else if !loaded {
			return false
		}
		msgs, size = msgs-int64(b.msgs), size-int64(b.bytes)
	}
	return true
}

// request asks for the table of a block. It reports false when that failed a
// moment ago.
func (e *Engine) request(b *block) bool {
	if b.loading {
		return true
	}
	if e.now < b.retryAt {
		e.expiry.retry = min(e.expiry.retry, b.retryAt)
		return false
	}
	b.loading = true
	e.schedule(WorkLoad, b.id, b.oldSize)
	return true
}

// loaded takes a table that was asked for.
func (e *Engine) loaded(w Work, d Done) {
	for _, b := range e.blocks {
		if b.id != w.Block {
			continue
		}
		b.loading = false
		if d.Err != nil {
			b.retryAt = e.now + retryLoad
			e.expiry.retry = min(e.expiry.retry, b.retryAt)
		} else if b.old == nil && w.Size == b.oldSize {
			b.old, b.inLive, b.cursor = d.Table, false, 0
		}
	}
	if e.opening != nil || e.stopped {
		return // a stopped stream writes no more; the next open applies the limits
	}
	e.catchUp()
	if e.expiry.waits {
		e.expire()
	}
	e.unpark()
}

// nearHead reports whether a limit reaches b next, or after the next block.
func (e *Engine) nearHead(b *block) bool {
	seen := 0
	for _, other := range e.blocks {
		if other == b {
			return true
		}
		if other.msgs > 0 {
			if seen++; seen == 2 {
				return false
			}
		}
	}
	return false
}

// prefetch asks for the tables of the next blocks that a limit reaches.
func (e *Engine) prefetch() {
	l := &e.cfg.Limits
	full := l.Discard == DiscardOld &&
		(l.MaxMsgs > 0 && int64(e.numbers[countMessages]) >= l.MaxMsgs/2 ||
			l.MaxBytes > 0 && int64(e.numbers[countBytes]) >= l.MaxBytes/2)
	if !full {
		return
	}
	seen := 0
	for _, b := range e.blocks {
		if b.msgs == 0 {
			continue
		}
		if _, loaded := b.table(b.firstLive); !loaded {
			e.request(b)
		}
		if seen++; seen == 2 {
			return
		}
	}
}

// catchUp applies limits that could not be applied when they were reached.
func (e *Engine) catchUp() {
	if e.tablesReady(0, 0) {
		e.enforce()
	}
}

// enforce applies MaxMsgs and MaxBytes from the head of the stream.
func (e *Engine) enforce() {
	l := &e.cfg.Limits
	if l.Discard != DiscardOld {
		return
	}
	n := &e.numbers
	first := n[countFirst]
	for l.MaxMsgs > 0 && int64(n[countMessages]) > l.MaxMsgs {
		over := n[countMessages] - uint64(l.MaxMsgs)
		if !e.removeHead(countRemovedMsgs, func(b *block) bool { return b.msgs <= over }) {
			break
		}
	}
	for l.MaxBytes > 0 && int64(n[countBytes]) > l.MaxBytes {
		over := n[countBytes] - uint64(l.MaxBytes)
		if !e.removeHead(countRemovedBytes, func(b *block) bool { return b.bytes <= over }) {
			break
		}
	}
	if n[countFirst] != first {
		e.armExpiry()
	}
}

// expire removes what is older than MaxAge from the head of the stream.
func (e *Engine) expire() {
	e.expiry.due = never
	if e.cfg.Limits.MaxAge <= 0 {
		return
	}
	e.expiry.ran, e.expiry.waits = e.now, false
	cutoff := e.now - int64(e.cfg.Limits.MaxAge)
	for {
		b := e.head()
		if b == nil || b.firstTime > cutoff {
			break
		}
		if _, loaded := b.table(b.firstLive); !loaded {
			// What asked for it first, or the retry, goes on from here.
			e.expiry.waits = e.request(b)
			return
		}
		if !e.removeHead(countRemovedAge, func(b *block) bool { return b.maxTime <= cutoff }) {
			break
		}
	}
	e.armExpiry()
}

// armExpiry sets the next run for the oldest message.
func (e *Engine) armExpiry() {
	if e.cfg.Limits.MaxAge <= 0 {
		return
	}
	b := e.head()
	if b == nil {
		e.expiry.due = never
		return
	}
	due := b.firstTime + int64(e.cfg.Limits.MaxAge)
	if due < b.firstTime { // beyond the end of time
		due = never
	}
	// Measured from the last run, so that a head that moves often does not put
	// the next one off.
	e.expiry.due = max(due, e.expiry.ran+expiryDistance)
}

// head returns the block that holds the first live message, or nil.
func (e *Engine) head() *block {
	for _, b := range e.blocks {
		if b.msgs > 0 {
			return b
		}
	}
	return nil
}

// removeHead removes the first live message or, when whole says so, all of its
// block. It reports false when the table for it is not in memory.
func (e *Engine) removeHead(reason counter, whole func(*block) bool) bool {
	b := e.head()
	if b == nil {
		return false
	}
	t, i, ok := b.head()
	if t == nil {
		return false
	}
	switch {
	case !ok:
		e.loseRest(b)
	case whole(b):
		e.dropMessages(b, t, i, reason)
	default:
		e.removeFirst(b, t, i, reason)
	}
	if b.msgs == 0 {
		e.dropEmptied()
	}
	e.refreshFirst()
	e.current.removed = true
	return true
}

// count adds to the total of a reason. What recovery removes was removed, and
// counted, before.
func (e *Engine) count(reason counter, n uint64) {
	if e.opening == nil {
		e.numbers[reason] += n
	}
}

// removeFirst removes one message at the head of its block.
func (e *Engine) removeFirst(b *block, t *Table, i int, reason counter) {
	e.takeMessage(b, t, i)
	e.count(reason, 1)
	if b.msgs > 0 && !b.advance() {
		e.loseRest(b)
	}
}

// takeMessage takes the message of record i out of all totals. A table that was
// read again may not agree with what was counted; no total goes below zero.
func (e *Engine) takeMessage(b *block, t *Table, i int) {
	if e.opening != nil {
		e.index.Removed(t.subjectOf(e.index, i), t.sequenceAt(i))
	} else {
		e.current.gone = append(e.current.gone, goneMessage{t.subjectOf(e.index, i), t.sequenceAt(i)})
	}
	size := min(t.sizeAt(i), b.bytes)
	if b.msgs == 1 {
		size = b.bytes
	}
	b.msgs--
	b.bytes -= size
	e.numbers[countMessages]--
	e.numbers[countBytes] -= size
}

// dropMessages removes all live messages of a block, from index i of t on.
func (e *Engine) dropMessages(b *block, t *Table, i int, reason counter) {
	for {
		for ; i < t.n && b.msgs > 0; i++ {
			if sequence := t.sequenceAt(i); len(b.deleted) == 0 || !inRanges(b.deleted, sequence) {
				e.takeMessage(b, t, i)
				e.count(reason, 1)
			}
		}
		if t == b.live || b.live == nil {
			break
		}
		t, i = b.live, 0
	}
	if b.msgs > 0 {
		e.loseRest(b)
	}
}

// loseRest accounts for messages of a block that were there when it was last
// looked at and are no longer.
func (e *Engine) loseRest(b *block) {
	e.numbers[countLostMessages] += b.msgs
	e.numbers[countLostBytes] += b.bytes
	e.numbers[countMessages] -= b.msgs
	e.numbers[countBytes] -= b.bytes
	b.msgs, b.bytes = 0, 0
	e.current.lost = max(e.current.lost, b.last)
}

// dropEmptied drops blocks without live messages from the head of the stream.
// The last sequence outlives the block that held it.
func (e *Engine) dropEmptied() {
	e.preserveLast()
	n := 0
	for n < len(e.blocks)-1 && e.blocks[n].msgs == 0 {
		gone := e.blocks[n]
		e.current.evicted = append(e.current.evicted, gone.id)
		e.current.release = append(e.current.release, gone)
		n++
	}
	if n > 0 {
		e.viewChanged = true
		e.blocks = shift(e.blocks, n)
		e.prefetch()
	}
}

// preserveLast sees to it that the last block, which stays, shows what the last
// sequence is. Of a stream without messages nothing but that is kept.
func (e *Engine) preserveLast() {
	last := e.last()
	if last == 0 || e.numbers[countMessages] > 0 {
		return
	}
	b := e.blocks[len(e.blocks)-1]
	if b.firstMsg != 0 {
		e.roll()
	} else if b.proves == last {
		return
	}
	// Not a tombstone, which would delete the newest message: as long as the
	// blocks are there, recovery has to see all of it to evict what went.
	e.appendSkip(last, int64(e.numbers[countLastTime]))
}

// refreshFirst brings the stream's first sequence and time up to date.
func (e *Engine) refreshFirst() {
	n := &e.numbers
	none := NoTime
	if b := e.head(); b != nil {
		n[countFirst], n[countFirstTime] = b.firstLive, uint64(b.firstTime)
	} else {
		n[countFirst], n[countFirstTime] = n[countLast]+1, uint64(none)
	}
}
