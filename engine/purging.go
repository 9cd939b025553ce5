package engine

import (
	"math"
	"slices"
	"sort"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// A purge of very many messages, or one for which very many blocks have to be looked through, is not carried out in
// one step: the commands behind it would wait for all of it. It is accepted, and then goes through the blocks one
// after the other, while commands are carried out. What it removes is what it selects of the messages that there
// were when it was accepted. It removes them in pieces, ascending, of which each is a group's at most, and is as
// atomic as a command; so a purge that finds no more than one piece is atomic as a whole. Its reply comes with the
// last piece: all pieces before it are as durable then as the sync level says.
//
// Few commands wait for it: see waitsForPurge.

var (
	// purgePiece is the most messages that a purge removes at a time, and mostPurged the most that one removes
	// in a single step, without having been accepted first.
	purgePiece = 2048
	mostPurged = 4096
	// mostLooked is for how many blocks a command waits that have to be looked through.
	mostLooked = 64
)

const (
	// mostPurges is how many purges are under way at a time.
	mostPurges = 16
	// purgeAhead is in how many blocks a purge has the shell look ahead of the one that it has come to.
	purgeAhead = 4
	// purgePause is how long after a piece the next one comes if commands arrive meanwhile, unless these are
	// commandsBetween: a caller who waits for each of its commands finds a piece ahead of few of them only.
	purgePause      = int64(2e6)
	commandsBetween = 512
)

// purge is a purge under way.
type purge struct {
	tag    any
	filter *subject.Set
	high   uint64 // what is above stays
	below  uint64 // so does what is not below, 0 for none
	keep   uint64 // so many of the newest are still to be found: they stay
	// next and before tell which blocks are done with: those of lower numbers, and, for keep, those not of lower ones.
	next, before uint32

	finds   map[findKey]*find
	found   []match // ascending; those from taken on are not removed yet
	taken   int
	all     bool // no more is to be found
	removed int
	began   bool // a piece was removed
	sum     *noticeSum

	commands uint64 // that had come at the last piece
	due      int64  // of the next piece, whatever commands come
	waits    bool   // for that
}

// purges are those that are under way, one at least.
type purges struct {
	list     []*purge
	commands uint64      // that have come while there were any
	graves   []Tombstone // memory for those of a piece
}

// piecemeal reports whether a purge is to be carried out in pieces.
func (e *Engine) piecemeal(filter *subject.Set, high uint64) bool {
	if e.change.step != changeNothing || len(e.underWay()) >= mostPurges {
		return false
	}
	looked := 0
	for _, b := range e.blocks {
		if b.firstMsg > 0 && b.firstMsg <= high && b.scanned == nil && b.scannedSize > 0 && (b.msgs > 0 || e.holdsEvicted()) {
			if looked++; looked > mostLooked {
				return true
			}
		}
	}
	return e.subjects.Tree().More(filter, uint64(mostPurged))
}

// beginPurge accepts a purge.
func (e *Engine) beginPurge(tag any, filter *subject.Set, c *Purge) {
	p := &purge{tag: tag, filter: filter, high: e.last(), keep: c.Keep, before: math.MaxUint32, sum: &noticeSum{reason: NoticePurged}}
	if c.Sequence > 1 {
		p.below = c.Sequence
	}
	if e.purges == nil {
		e.purges = &purges{}
	}
	e.purges.list = append(e.purges.list, p)
}

// underWay returns the purges that are under way.
func (e *Engine) underWay() []*purge {
	if e.purges == nil {
		return nil
	}
	return e.purges.list
}

// Purging returns how many purges are under way: accepted, and not answered yet.
func (e *Engine) Purging() int { return len(e.underWay()) }

// waitsForPurge reports whether a command waits for a purge that is under way: one that asks for what the purge
// changes, or that the purge makes room for. A message that the purge would remove, had it come before, waits until
// the first piece is gone: until then the purge may still be carried out in one step, after all that has come
// meanwhile.
func (e *Engine) waitsForPurge(c Command) bool {
	switch c := c.(type) {
	case *Store:
		return e.storeWaits(&c.Message, 1, e.recordSize(&c.Message))
	case *StoreRaw:
		return e.storeWaits(&c.Message, 1, e.recordSize(&c.Message))
	case *StoreBatch:
		bytes := 0
		for i := range c.Messages {
			bytes += e.recordSize(&c.Messages[i])
			if e.storeWaits(&c.Messages[i], i+1, bytes) {
				return true
			}
		}
		return false
	case *Purge:
		return c.whole() || len(e.purges.list) >= mostPurges
	case *Remove, *Erase, *Skip, *Flush, *SetSync:
		return false
	}
	return true
}

// storeWaits is waitsForPurge for a message that a command stores, with which that stores so many.
func (e *Engine) storeWaits(m *Message, messages, bytes int) bool {
	l := &e.cfg.Limits
	switch {
	case m.Rollup != RollupNone, len(m.Expect) > 0, e.cfg.RollupHeaders && len(m.Header) > 0:
		return true
	case l.MaxMsgs > 0 && int64(e.counts[countMessages])+int64(messages) > l.MaxMsgs:
		return true
	case l.MaxBytes > 0 && int64(e.counts[countBytes])+int64(bytes) > l.MaxBytes:
		return true
	}
	for _, p := range e.purges.list {
		if (!p.began || e.cfg.Limits.DiscardNewPer) && selects(p.filter, m.Subject) {
			return true
		}
	}
	return false
}

// selects reports whether a filter selects a subject: nothing but one that selects all does so with the empty one.
func selects(filter *subject.Set, name string) bool {
	return filter.All() || name != "" && filter.Match([]byte(name))
}

// goOnPurging does what it can of the purges under way: it removes one piece at most, and that once a group.
func (e *Engine) goOnPurging() {
	if e.purges == nil || !e.serving() || e.stopped || e.fenced {
		return
	}
	moved := false
	x := e.purges
	for i := 0; i < len(x.list); {
		p := x.list[i]
		removed, done := e.purgeNext(p)
		moved = moved || removed || done
		switch {
		case done:
			x.list = slices.Delete(x.list, i, i+1)
		case removed: // the others come first next time
			x.list = append(slices.Delete(x.list, i, i+1), p)
		default:
			i++
		}
		if removed {
			break
		}
	}
	if len(x.list) == 0 {
		e.purges = nil
	}
	if moved {
		e.goOn()
	}
}

// lookThrough finds messages until there are enough for a piece, or a block has to be looked into first.
func (e *Engine) lookThrough(p *purge) {
	for p.keep > 0 && e.keepNewest(p) {
	}
	for p.keep == 0 && !p.all && p.left() < purgePiece && e.lookIntoNext(p) {
	}
}

// keepNewest looks for the newest messages, which stay, in the next older block. It reports false when that has to
// be looked into.
func (e *Engine) keepNewest(p *purge) bool {
	ahead := 0
	for i := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].id >= p.before }) - 1; i >= 0; i-- {
		b := e.blocks[i]
		if b.msgs == 0 || b.firstLive > p.high {
			continue
		}
		list, state := e.matchesIn(p, b, nil, p.high, false)
		switch {
		case state != gatheredAll:
			if ahead++; ahead > purgeAhead {
				return false
			}
			continue
		case ahead > 0:
			continue
		case uint64(len(list)) >= p.keep:
			p.high, p.keep = list[uint64(len(list))-p.keep].sequence()-1, 0
			return true
		}
		p.keep, p.before = p.keep-uint64(len(list)), b.id
		p.forget(b)
		return true
	}
	if ahead == 0 {
		p.keep, p.all = 0, true // it selects no more than are to stay
	}
	return false
}

// lookIntoNext looks into the next block. It reports false when the shell has to do so first.
func (e *Engine) lookIntoNext(p *purge) bool {
	high, ahead := p.highest(), 0
	from := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].id >= p.next })
	for _, b := range e.blocks[from:] {
		switch {
		case b.firstMsg == 0 || b.msgs == 0 && !e.holdsEvicted():
			continue
		case b.firstMsg > high:
			p.all = p.all || ahead == 0
			return false
		}
		if p.taken == len(p.found) { // as many as in the block before
			p.found, p.taken = p.found[:0], 0
		}
		list, state := e.matchesIn(p, b, p.found, high, e.holdsEvicted())
		if state != gatheredAll {
			if ahead++; ahead > purgeAhead {
				return false
			}
			continue
		}
		if ahead == 0 {
			p.found, p.next = list, b.id+1
			p.forget(b)
			return true
		}
	}
	p.all = p.all || ahead == 0
	return false
}

// left is how many messages are found and not removed yet.
func (p *purge) left() int { return len(p.found) - p.taken }

// highest returns the highest sequence of a message that the purge may remove.
func (p *purge) highest() uint64 {
	if p.below > 0 {
		return min(p.high, p.below-1)
	}
	return p.high
}

// forget gives up what was found in a block.
func (p *purge) forget(b *block) {
	for key := range p.finds {
		if key.block == b.id {
			delete(p.finds, key)
		}
	}
}

// matchesIn adds to a list the messages in a block, up to a sequence, that the purge selects. dead asks for removed
// ones, too. Where the shell has to look for them it is asked to.
func (e *Engine) matchesIn(p *purge, b *block, list []match, high uint64, dead bool) ([]match, gathered) {
	g := gatherer{e: e, filter: p.filter, ids: make(map[uint32]bool)}
	return g.in(b, list, 1, high, dead, &p.finds)
}

// purgeNext removes the next piece of a purge, if it is time for one, and answers the purge that is done.
func (e *Engine) purgeNext(p *purge) (removed, done bool) {
	p.waits = false
	for {
		e.lookThrough(p)
		ready, err := e.pieceReady(p)
		if err != nil {
			e.endPurge(p, err)
			return removed, true
		}
		if !ready {
			return removed, false
		}
		n := min(p.left(), purgePiece)
		removed = e.removePiece(p, p.found[p.taken:p.taken+n])
		if p.taken += n; p.all && p.left() == 0 {
			e.endPurge(p, nil)
			return removed, true
		}
		if removed {
			return true, false
		}
	}
}

// pieceReady reports whether the next piece of a purge, which may be empty, can be removed now.
func (e *Engine) pieceReady(p *purge) (bool, error) {
	if err := findError(p.finds); err != nil {
		return false, err
	}
	if p.left() < purgePiece && !p.all {
		return false, nil
	}
	if p.left() == 0 {
		return true, nil
	}
	if busy := e.purges.commands - p.commands; p.began && busy > 0 && busy < commandsBetween && e.steady < p.due {
		p.waits = true
		return false, nil
	}
	if e.current.piece {
		return false, nil
	}
	return e.perSettled()
}

// removePiece removes messages, and writes for those that are removed already that they are: see purgeMatches. It
// reports false when there was nothing to do.
func (e *Engine) removePiece(p *purge, list []match) bool {
	graves := e.purges.graves[:0]
	evicted, before := e.holdsEvicted(), p.removed
	if slices.ContainsFunc(list, func(m match) bool { return m.live() }) {
		e.protectHead()
	}
	e.sumNotices()
	for i := range list {
		m := &list[i]
		switch live := m.live(); {
		case live:
			graves = append(graves, m.tombstone())
			e.removeAt(m.block, m.table, m.index, countRemovedRequest)
			p.removed++
		case evicted:
			graves = append(graves, m.tombstone())
		}
	}
	e.purges.graves = graves
	e.summedPart(p.sum)
	if len(graves) == 0 {
		return false
	}
	p.began, p.commands, p.due = true, e.purges.commands, e.steady+purgePause
	e.current.piece = true
	if p.removed > before {
		e.removed()
	}
	e.writeRemovals(0, graves)
	return true
}

// endPurge answers a purge.
func (e *Engine) endPurge(p *purge, err error) {
	e.noteSummed(p.sum)
	e.replyInOrder(Reply{Tag: p.tag, Sequence: e.last(), Count: p.removed, Err: err})
}

// failPurges answers the purges under way when the engine fails: with unknown if they have changed something.
func (e *Engine) failPurges(refusal, unknown error) {
	for _, p := range e.underWay() {
		err := refusal
		if p.began {
			err = unknown
		}
		e.reply(Reply{Tag: p.tag, Err: err})
	}
	e.purges = nil
}

// purgeDue returns when a purge goes on whatever commands come, or never.
func (e *Engine) purgeDue() int64 {
	due := never
	for _, p := range e.underWay() {
		if p.waits {
			due = min(due, max(p.due, e.steady+1))
		}
	}
	return due
}
