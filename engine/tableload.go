package engine

import "slices"

// tablesReady reports whether the limits can be applied after n more messages of so
// many bytes, as far as that takes tables. It asks for the first table that is missing.
func (e *Engine) tablesReady(n, bytes uint64) bool {
	l := &e.cfg.Limits
	if l.Discard != DiscardOld || e.shrinking() {
		return true
	}
	var msgs, size int64
	if l.MaxMsgs > 0 {
		msgs = int64(e.counts[countMessages]+n) - l.MaxMsgs
	}
	if l.MaxBytes > 0 {
		size = int64(e.counts[countBytes]+bytes) - l.MaxBytes
	}
	for _, b := range e.blocks {
		if msgs <= 0 && size <= 0 {
			return true
		}
		if b.msgs == 0 {
			continue
		}
		if _, loaded := b.table(b.firstLive); loaded || b.unreadable() {
			b.lent = false // it can be removed
		} else if e.want(b) {
			return false
		} else {
			// It cannot be read at the moment. Stores go on, and the stream may for
			// a while be above its limits.
			return true
		}
		msgs, size = msgs-int64(b.msgs), size-int64(b.bytes)
	}
	return true
}

// request asks for the table of a block. It reports false when the last attempt has
// failed and it is too early for another.
func (e *Engine) request(b *block) bool {
	if b.loading {
		return true
	}
	if e.steady < b.retryAt {
		e.expiry.retry = min(e.expiry.retry, b.retryAt)
		return false
	}
	b.loading = true
	e.schedule(WorkLoad, b.id, b.scannedSize)
	return true
}

// loaded takes a table that was asked for, or the error of the attempt, and goes on
// with what waited for it.
func (e *Engine) loaded(w Work, d Done) {
	if i := slices.IndexFunc(e.blocks, func(b *block) bool { return b.id == w.Block }); i >= 0 {
		e.takeTable(e.blocks[i], w, d)
	}
	if !e.serving() || e.stopped {
		return // a stopped stream writes no more; the next open applies the limits
	}
	e.catchUp()
	if e.expiry.waits {
		e.expire()
	}
	e.unpark()
}

// takeTable takes the table of a block, or the error of reading it.
func (e *Engine) takeTable(b *block, w Work, d Done) {
	b.loading = false
	switch {
	case d.Err != nil:
		if b.wanted {
			b.failed++
		}
		b.retryAt = e.steady + retryLoad
		e.expiry.retry = min(e.expiry.retry, b.retryAt)
	case b.scanned == nil && w.Size == b.scannedSize:
		b.scanned, b.inAppended, b.cursor, b.failed = d.Table, false, 0, 0
		b.used = e.steady
		e.reconcile(b, d.Table)
		if b.msgs > 0 && e.serving() {
			e.settleBytes(b)
		}
		e.returnLent(b)
		if b.msgs > 0 && b.firstLive < b.tailFrom {
			e.refreshFirstTime(b)
			e.refreshFirst()
			e.armExpiry()
		}
	case b.scanned == nil && b.timeStale:
		e.request(b) // the block was compacted meanwhile
	}
	b.wanted = false
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
	if !e.fillsUp() {
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
