package engine

// mostLoads is how many attempts to load the table of a block have to fail, in a row and
// while a limit waits for it, until the limit goes without: retryLoad apart from each
// other.
const mostLoads = 5

// unreadable reports whether limits do without the table of a block that has not come. The
// totals of what it lists are known, so it goes as a whole: else a stream would grow
// without bound behind a block that the disk does not read.
func (b *block) unreadable() bool { return b.failed >= mostLoads }

// want asks for the table of a block because a limit has come to it. It reports false as
// request does.
func (e *Engine) want(b *block) bool {
	if !e.request(b) {
		return false
	}
	b.wanted, b.lent = true, false
	return true
}

// unreadUntil returns when the last message of those was stored that an unreadable block's
// table would list.
func (b *block) unreadUntil() int64 {
	if t := b.appended; t != nil && t.n > 0 {
		return t.slot(0).time // or before that
	}
	return b.maxTime
}

// loseUnread takes all messages out of a block that a table would list which cannot be
// loaded. They are lost: a limit may have left some of them.
func (e *Engine) loseUnread(b *block) {
	kept, bytes, first := uint64(0), uint64(0), -1
	for i := 0; b.appended != nil && i < b.appended.n; i++ {
		if b.deleted.contains(b.appended.Sequence(i)) {
			continue
		}
		if first < 0 {
			first = i
		}
		kept++
		bytes += uint64(b.appended.slot(i).size())
	}
	if kept == 0 {
		e.loseRest(b)
		return
	}
	messages, size := b.msgs-min(kept, b.msgs), b.bytes-min(bytes, b.bytes)
	e.noteMany(NoticeLost, messages, size)
	e.counts[countLostMessages] += messages
	e.counts[countLostBytes] += size
	e.counts[countMessages] -= messages
	e.counts[countBytes] -= size
	b.msgs, b.bytes = b.msgs-messages, b.bytes-size
	e.noteThinned(b)
	b.inAppended, b.cursor = true, first
	b.firstLive, b.firstTime = b.appended.Sequence(first), b.appended.slot(first).time
	e.endLives(b, 0, b.firstLive-1)
	e.countAnew(b)
}
