package engine

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Purge removes messages by subject. The reply counts them. Very many of them are removed in pieces, while other
// commands are carried out: see purging.go.
//
// With a filter that selects everything and neither Sequence nor Keep it removes all messages, whatever
// their number, with one record. With such a filter and a Sequence above 1 it is Compact. A Sequence of
// 1 removes nothing.
type Purge struct {
	// Filter selects messages; nil selects all of them.
	Filter *subject.Set
	// Sequence, if not 0, is that of the first message which stays whatever its subject.
	Sequence uint64
	// Keep is how many of the messages that the filter selects stay, the newest of them.
	Keep uint64

	atOnce bool // it was found not to be one for pieces
}

// Size implements Command.
func (*Purge) Size() (pieces, bytes int) { return 1, 0 }

func (c *Purge) clone() Command { own := *c; return &own }

func (*Purge) subjectAhead() string { return "" }

// whole reports whether the purge removes all messages, up to a sequence if it has one.
func (c *Purge) whole() bool {
	return (c.Filter == nil || c.Filter.All()) && (c.Sequence > 1 || c.Sequence == 0 && c.Keep == 0)
}

func (c *Purge) apply(e *Engine, tag any) bool {
	all := c.Filter == nil || c.Filter.All()
	switch {
	case c.Sequence == 1:
		e.replyInOrder(Reply{Tag: tag})
		return true
	case all && c.Sequence == 0 && c.Keep == 0:
		n := e.purgeAll(e.last(), NoticePurged)
		if n == 0 {
			e.noteMany(NoticePurged, 0, 0)
		}
		e.current.reply(Reply{Tag: tag, Sequence: e.last(), Count: n})
		return true
	case all && c.Sequence > 1:
		return (&Compact{Sequence: c.Sequence}).apply(e, tag)
	}
	return c.some(e, tag)
}

// some removes the messages that the filter selects.
func (c *Purge) some(e *Engine, tag any) bool {
	filter := c.Filter
	if filter == nil {
		everything := subject.Everything()
		filter = &everything
	}
	high := maxSequence
	if c.Sequence > 1 && c.Keep == 0 {
		high = c.Sequence - 1
	}
	if settled, err := e.perSettled(); !settled {
		return e.refuseUnreadable(tag, err)
	}
	if !c.atOnce && e.piecemeal(filter, high) {
		e.beginPurge(tag, filter, c)
		return true
	}
	c.atOnce = true
	list, outcome := e.gather(filter, 1, high, e.holdsEvicted())
	switch outcome {
	case gatheredSome:
		return false
	case unreadableBlock:
		return e.refuseUnreadable(tag, e.findError())
	}
	remove, again := selectMatches(list, c.Sequence, c.Keep)
	n := e.purgeMatches(remove, again)
	if n == 0 {
		e.replyInOrder(Reply{Tag: tag, Sequence: e.last()})
		return true
	}
	e.current.reply(Reply{Tag: tag, Sequence: e.last(), Count: n})
	return true
}

// selectMatches returns those of the matches that are live and below a sequence (0: any), but for the newest
// keep of all; and the others below, which are removed already.
func selectMatches(list []match, below, keep uint64) (live, dead []match) {
	total := uint64(0)
	for i := range list {
		switch m := &list[i]; {
		case m.live():
			if total++; below <= 1 || m.sequence() < below {
				live = append(live, *m)
			}
		case below <= 1 || m.sequence() < below:
			dead = append(dead, *m)
		}
	}
	if keep >= total {
		return nil, nil
	}
	return live[:min(uint64(len(live)), total-keep)], dead
}

// purgeMatches removes messages, and writes again that others are removed: MaxMsgsPer has evicted them, and
// with fewer messages of their subjects would not do so when the stream is opened.
func (e *Engine) purgeMatches(live, dead []match) int {
	graves := make([]Tombstone, 0, len(live)+len(dead))
	for i := range dead {
		graves = append(graves, dead[i].tombstone())
	}
	if len(live) > 0 {
		e.protectHead()
	}
	e.sumNotices()
	for i := range live {
		m := &live[i]
		graves = append(graves, m.tombstone())
		e.removeAt(m.block, m.table, m.index, countRemovedRequest)
	}
	e.summedNotices(NoticePurged, true)
	if len(live) > 0 {
		e.removed()
		e.writeRemovals(0, graves)
	}
	return len(live)
}

// purgeAll removes all messages, and makes last the last sequence. It returns how many there were.
func (e *Engine) purgeAll(last uint64, reason NoticeReason) int {
	n := e.counts[countMessages]
	old := e.last()
	if last == 0 {
		e.counts[countFirst] = 1 // of a stream that has used no sequence
		e.current.removed = true
		return 0
	}
	if len(e.blocks) == 0 || len(e.blocks) > 1 || e.blocks[0].firstMsg != 0 || last > old {
		e.purgeBlocks(last)
	}
	if n > 0 {
		e.noteMany(reason, n, e.counts[countBytes])
	}
	e.counts[countRemovedRequest] += n
	e.counts[countFreedBytes] += e.counts[countBytes]
	e.counts[countMessages], e.counts[countBytes], e.counts[countLast] = 0, 0, last
	e.refreshFirst()
	e.recount, e.counts[countRecounting] = recount{}, 0 // the subject index begins anew
	e.current.removed, e.current.purged, e.fenced = true, true, true
	return int(n)
}

// purgeBlocks drops all blocks, and begins one that shows what the last sequence is.
func (e *Engine) purgeBlocks(last uint64) {
	before := slices.Clone(e.blocks)
	e.roll()
	e.writeFloor(last + 1)
	e.appendSkip(last, e.lastTime)
	if b := e.tail; last > b.last {
		b.deleted.add(b.last+1, last)
		b.last = last
	}
	for _, b := range before {
		b.msgs, b.bytes, b.lives, b.unseen = 0, 0, nil, 0
		e.current.evicted = append(e.current.evicted, b.id)
		e.current.release = append(e.current.release, b)
	}
	if e.ttl != nil {
		e.ttl.wheel.Clear()
	}
	e.dropBlocks(len(before))
	e.emptied = nil
}
