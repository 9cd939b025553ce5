package engine

import (
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Compact removes all messages below a sequence. One above the last removes all of them, and the next
// message gets it. With 0 it is a Purge of everything. The reply counts the removed messages.
type Compact struct{ Sequence uint64 }

// Size implements Command.
func (*Compact) Size() (pieces, bytes int) { return 1, 0 }

func (c *Compact) clone() Command { own := *c; return &own }

func (*Compact) subjectAhead() string { return "" }

func (c *Compact) apply(e *Engine, tag any) bool {
	first, last := e.counts[countFirst], e.last()
	empty := e.counts[countMessages] == 0
	n := 0
	switch {
	case c.Sequence >= maxSequence:
		e.replyInOrder(Reply{Tag: tag, Err: sequenceTooLarge(c.Sequence)})
		return true
	case c.Sequence == 0:
		n = e.purgeAll(last, NoticeCompacted)
	case c.Sequence > last && (c.Sequence > last+1 || !empty || last == 0): // a new stream's first is 1 then
		n = e.purgeAll(c.Sequence-1, NoticeCompacted)
	case empty || c.Sequence <= first:
		e.replyInOrder(Reply{Tag: tag, Sequence: last})
		return true
	default:
		var outcome gathered
		if n, outcome = e.compact(c.Sequence); outcome == gatheredSome {
			return false
		} else if outcome == unreadableBlock {
			return e.refuseUnreadable(tag, e.findError())
		}
	}
	e.current.reply(Reply{Tag: tag, Sequence: e.last(), Count: n})
	return true
}

// compaction is what goes when all messages below a sequence do.
type compaction struct {
	below uint64
	list  []match
	whole []*block // of which none stays, and none was removed before
	next  *match   // the first live message of the block that stays
}

// compact removes the live messages below a sequence that is between the first and the last.
func (e *Engine) compact(below uint64) (n int, outcome gathered) {
	c, outcome := e.prepareCompaction(below)
	if outcome != gatheredAll {
		return 0, outcome
	}
	return e.compactNow(&c, NoticeCompacted), gatheredAll
}

// prepareCompaction finds the live messages below a sequence. Blocks that go as a whole are not looked into, but
// for the subjects of their messages where those are many.
func (e *Engine) prepareCompaction(below uint64) (c compaction, outcome gathered) {
	c.below = below
	everything := subject.Everything()
	for _, b := range e.blocks {
		if b.msgs == 0 || b.firstLive >= below {
			continue
		}
		if b.last < below && !b.thinned && b.appended == nil && b.scanned == nil {
			if b.few == nil {
				_, state := e.find(WorkSubjects, b, nil)
				outcome = max(outcome, state)
			}
			c.whole = append(c.whole, b)
			continue
		}
		stays := b.last >= below // and a nats-server knows no floor
		low := b.firstLive
		if stays && e.perLimited() {
			low = b.firstMsg
		}
		high := min(below-1, b.last)
		if stays {
			high = min(b.deleted.settled().liveAfter(below), b.last) // else its table would have to be loaded for the time of that
		}
		part, state := e.gather(&everything, low, high, stays && e.perLimited())
		outcome = max(outcome, state)
		for n := len(part); n > 0 && part[n-1].sequence() >= below; n-- {
			if part[n-1].live() {
				c.next = &part[n-1]
			}
			part = part[:n-1]
		}
		c.list = append(c.list, part...)
	}
	return c, outcome
}

// compactNow removes what was found, and writes that it is.
func (e *Engine) compactNow(c *compaction, reason NoticeReason) (n int) {
	e.sumNotices()
	for _, b := range c.whole {
		var t *Table
		if b.few == nil {
			t, _ = e.find(WorkSubjects, b, nil)
		}
		n += e.dropWhole(b, t)
	}
	graves := e.evictedBelow(c.list)
	for list := c.list; len(list) > 0; {
		b, k := list[0].block, 0
		for k < len(list) && list[k].block == b {
			if list[k].live() && b.last >= c.below { // a nats-server knows no floor
				graves = append(graves, list[k].tombstone())
			}
			k++
		}
		n += e.removeFirstOf(b, list[:k], c.below)
		if m := c.next; m != nil && m.block == b && b.firstLive == m.sequence() {
			b.firstTime, b.timeStale = m.table.slot(m.index).time, false
		}
		list = list[k:]
	}
	e.summedNotices(reason, false)
	e.removed()
	e.writeRemovals(e.counts[countFirst], graves)
	return n
}

// dropWhole removes all messages of a block that has never lost one. t has the subjects of its records, unless the block has
// kept count of them.
func (e *Engine) dropWhole(b *block, t *Table) int {
	n := b.msgs
	e.eachSubject(b, t, func(r removal) { e.removeMany(b, r.subject, r.count, r.sequence) })
	e.noteMany(NoticeCompacted, n, b.bytes)
	e.counts[countRemovedRequest] += n
	e.counts[countMessages] -= n
	e.counts[countBytes] -= b.bytes
	e.counts[countFreedBytes] += b.bytes
	b.deleted.add(b.firstMsg, b.last)
	b.msgs, b.bytes = 0, 0
	e.noteThinned(b)
	e.endLives(b, 0, maxSequence)
	e.emptied = append(e.emptied, b)
	e.current.deletes(b)
	return int(n)
}

// removeFirstOf removes all messages of a block below a sequence: those that are live of a list. It returns how many
// they were.
func (e *Engine) removeFirstOf(b *block, list []match, below uint64) int {
	var subjects []removal // each subject's, in order of its first message
	at := make(map[uint32]int)
	n, bytes := uint64(0), uint64(0)
	for i := range list {
		m := &list[i]
		if !m.live() {
			continue
		}
		n, bytes = n+1, bytes+uint64(m.table.slot(m.index).size())
		id := m.table.subjectOf(e.subjects, m.index)
		k, known := at[id]
		if !known {
			k, at[id] = len(subjects), len(subjects)
			subjects = append(subjects, removal{subject: id})
		}
		subjects[k].count, subjects[k].sequence = subjects[k].count+1, m.sequence()
	}
	if n == 0 {
		return 0
	}
	for _, r := range subjects {
		e.removeMany(b, r.subject, r.count, r.sequence)
	}
	// A table that was read again may not agree with what was counted.
	n, bytes = min(n, b.msgs), min(bytes, b.bytes)
	if n == b.msgs {
		bytes = b.bytes
	}
	e.noteMany(NoticeCompacted, n, bytes)
	e.counts[countRemovedRequest] += n
	e.counts[countMessages] -= n
	e.counts[countBytes] -= bytes
	e.counts[countFreedBytes] += bytes
	b.msgs, b.bytes = b.msgs-n, b.bytes-bytes
	e.noteThinned(b)
	e.endLives(b, 0, below-1)
	b.deleted.add(b.firstLive, min(below-1, b.last))
	e.current.deletes(b)
	if b.msgs == 0 {
		e.emptied = append(e.emptied, b)
		return int(n)
	}
	e.compacting.consider(e, b)
	e.moveFirstLive(b)
	return int(n)
}
