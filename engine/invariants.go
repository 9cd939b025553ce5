package engine

import (
	"fmt"
	"slices"
)

// CheckInvariants returns what is wrong with the engine's state, or nil. It is
// for tests, and costs time in proportion to the number of blocks and to the
// records whose tables are in memory.
func (e *Engine) CheckInvariants() error {
	if e.failed != nil {
		return nil
	}
	n, d := &e.numbers, &e.durability
	if d.durable.group > d.written.group || d.durable.sequence > n.counts[countLast] || d.written.end.Before(d.durable.end) {
		return fmt.Errorf("durable %+v, written %+v, last %d", d.durable, d.written, n.counts[countLast])
	}
	var msgs, bytes uint64
	last := uint64(0)
	for i, b := range e.blocks {
		msgs, bytes = msgs+b.msgs, bytes+b.bytes
		if i > 0 && b.id <= e.blocks[i-1].id {
			return fmt.Errorf("block %d follows block %d", b.id, e.blocks[i-1].id)
		}
		if err := e.checkBlock(b, last); err != nil {
			return fmt.Errorf("block %d: %w", b.id, err)
		}
		last = max(last, b.last)
	}
	switch {
	case msgs != n.counts[countMessages]:
		return fmt.Errorf("blocks hold %d messages, the stream %d", msgs, n.counts[countMessages])
	case bytes != n.counts[countBytes]:
		return fmt.Errorf("blocks hold %d bytes, the stream %d", bytes, n.counts[countBytes])
	case len(e.blocks) > 0 && last > n.counts[countLast]:
		return fmt.Errorf("blocks end at %d, the stream at %d", last, n.counts[countLast])
	}
	if err := e.checkFirst(); err != nil {
		return err
	}
	if err := e.checkLives(); err != nil {
		return err
	}
	if err := e.schedules.check(); err != nil {
		return err
	}
	return e.checkSubjects()
}

func (e *Engine) checkFirst() error {
	n := &e.numbers
	if n.counts[countMessages] == 0 {
		if n.counts[countFirst] != n.counts[countLast]+1 && (n.counts[countFirst] != 0 || n.counts[countLast] != 0) {
			return fmt.Errorf("empty, first %d, last %d", n.counts[countFirst], n.counts[countLast])
		}
		if n.firstTime != NoTime {
			return fmt.Errorf("empty, first time %d", n.firstTime)
		}
		return nil
	}
	b := e.head()
	if b.firstLive != n.counts[countFirst] || b.firstTime != n.firstTime {
		return fmt.Errorf("first is %d, of its block %d", n.counts[countFirst], b.firstLive)
	}
	if n.counts[countFirst] > n.counts[countLast] || n.counts[countMessages] > n.counts[countLast]-n.counts[countFirst]+1 {
		return fmt.Errorf("%d messages in %d..%d", n.counts[countMessages], n.counts[countFirst], n.counts[countLast])
	}
	var deleted uint64
	for _, r := range e.Deleted() {
		deleted += r.Last - r.First + 1
	}
	// What was lost after it was counted is in no list while it is in range.
	all := n.counts[countLast] - n.counts[countFirst] + 1
	if known := n.counts[countMessages] + deleted; known > all || known+e.lostUnlisted() < all {
		return fmt.Errorf("%d messages and %d deleted in %d..%d",
			n.counts[countMessages], deleted, n.counts[countFirst], n.counts[countLast])
	}
	return nil
}

// lostUnlisted counts messages that were lost from blocks after they were
// scanned, which no list of deletions names.
func (e *Engine) lostUnlisted() uint64 { return e.counts[countLostMessages] - e.lostAtOpen }

func (e *Engine) checkBlock(b *block, before uint64) error {
	if b.msgs == 0 {
		if b.bytes != 0 {
			return fmt.Errorf("no messages, %d bytes", b.bytes)
		}
		return nil
	}
	if b.firstMsg <= before || b.firstLive < b.firstMsg || b.firstLive > b.last {
		return fmt.Errorf("holds %d (live from %d) to %d after %d", b.firstMsg, b.firstLive, b.last, before)
	}
	if err := b.deleted.check(b.last); err != nil {
		return fmt.Errorf("deleted: %w", err)
	}
	if b.scanned == nil && b.tailFrom > b.firstLive {
		return nil
	}
	var msgs, bytes uint64
	for _, t := range [...]*Table{b.scanned, b.appended} {
		if t == nil {
			continue
		}
		for i := t.Search(b.firstLive); i < t.n; i++ {
			if !b.deleted.contains(t.Sequence(i)) {
				msgs, bytes = msgs+1, bytes+uint64(t.slot(i).size())
			}
		}
	}
	if msgs != b.msgs || bytes != b.bytes {
		return fmt.Errorf("tables hold %d messages, %d bytes; counted %d, %d", msgs, bytes, b.msgs, b.bytes)
	}
	return nil
}

func (e *Engine) checkSubjects() error {
	total := e.subjects.Tree().Messages()
	// The index is of what is published.
	shown := e.pub.numbers()
	if n := shown.counts[countMessages]; e.serving() && shown.counts[countRecounting] == 0 && total > n {
		return fmt.Errorf("subjects count %d messages, the stream %d", total, n)
	}
	return nil
}

// check returns what is wrong with the set, whose highest sequence may be last.
func (s *deletedSet) check(last uint64) error {
	var n uint64
	for i := range s.list {
		e := &s.list[i]
		switch {
		case e.first > e.last || i > 0 && e.first <= s.list[i-1].last:
			return fmt.Errorf("stretch %d is %d..%d", i, e.first, e.last)
		case e.bits != nil && (e.first%windowSize != 0 || e.last != e.first+windowSize-1):
			return fmt.Errorf("window %d is %d..%d", i, e.first, e.last)
		case e.bits != nil && (e.bits.count != e.bits.below(windowSize) || e.bits.count == windowSize):
			return fmt.Errorf("window %d counts %d, has %d", i, e.bits.count, e.bits.below(windowSize))
		case i < s.summed && e.before != n:
			return fmt.Errorf("stretch %d counts %d before it, not %d", i, e.before, n)
		}
		n += e.size()
	}
	for i, sequence := range s.keptApart() {
		if s.list.contains(sequence) || slices.Contains(s.keptApart()[:i], sequence) {
			return fmt.Errorf("%d is kept apart, and is in the list, or twice", sequence)
		}
	}
	if n += uint64(s.apart); n != s.count {
		return fmt.Errorf("%d sequences, counted %d", n, s.count)
	}
	if s.frozen > len(s.list) || s.open > len(s.list) || s.summed > len(s.list) {
		return fmt.Errorf("%d stretches, %d frozen, %d summed, open from %d", len(s.list), s.frozen, s.summed, s.open)
	}
	if n := len(s.list); n > 0 {
		var highest uint64
		s.list[n-1].each(0, maxSequence, func(_, to uint64) { highest = to })
		if highest > last {
			return fmt.Errorf("%d is above %d", highest, last)
		}
	}
	return nil
}

// checkLives returns what is wrong with the lists of lives and the wheel, or nil.
func (e *Engine) checkLives() error {
	if e.ttl == nil {
		return nil
	}
	await := 0
	for _, b := range e.blocks {
		if b.lives == nil {
			continue
		}
		gone, ever, last := 0, 0, uint64(0)
		for _, l := range b.lives.list {
			n := l.number()
			switch {
			case n <= last:
				return fmt.Errorf("block %d: the life of %d follows that of %d", b.id, n, last)
			case l.due == lifeGone:
				gone++
			case !b.live(n):
				return fmt.Errorf("block %d: message %d is gone, and has a life", b.id, n)
			case l.sequence&lifeForEver != 0:
				ever++
			}
			if last = n; l.due != lifeGone && l.due != never {
				await++
			}
		}
		if gone != b.lives.gone || ever != b.lives.ever {
			return fmt.Errorf("block %d: %d lives have ended and %d do not end, counted %d and %d", b.id, gone, ever, b.lives.gone, b.lives.ever)
		}
	}
	if n := e.ttl.wheel.Len(); n > await || n < await && !e.expiry.removing {
		return fmt.Errorf("%d messages await their end, %d are in the wheel", await, n)
	}
	return nil
}
