package engine

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// SetLimits changes the limits of the stream. They are in force for all commands behind it.
//
// What the old ones have evicted stays away, whatever the new ones would let stay: it is
// written in the log that it is gone. What the new ones do not let stay is removed, a block
// at a time, while commands behind it are carried out: first by MaxMsgs, then by MaxBytes,
// MaxMsgsPer, and MaxAge. The reply comes when all of this is done, and durable whatever the
// sync level; ErrUnreadable tells that what has been evicted is not known, as a block cannot
// be read: the old limits should be set again then.
//
// It is for who stores the limits to do so in between: see Limits.Join.
type SetLimits struct{ Limits Limits }

// Size implements Command.
func (*SetLimits) Size() (pieces, bytes int) { return 1, 0 }

func (c *SetLimits) clone() Command { own := *c; return &own }

func (*SetLimits) subjectAhead() string { return "" }

func (c *SetLimits) apply(e *Engine, tag any) bool {
	old := e.cfg.Limits
	ttlChanges := old.MsgTTL != c.Limits.MsgTTL
	perChanges := bound(old.MaxMsgsPer) != bound(c.Limits.MaxMsgsPer)
	if e.change.step != changeNothing {
		return false // one change after the other
	}
	if perChanges {
		e.track()
	}
	if ttlChanges && c.Limits.MsgTTL != TTLOff && e.tail != nil && e.tail.msgs > 0 {
		e.roll() // what is in memory alone cannot be looked into
	}
	e.change = &change{
		step: changeSecure, tag: tag, last: e.lastID,
		head: old.evicts() && old.raisedBy(c.Limits), per: e.holdsEvicted() && old.laxerPer(c.Limits),
		thins: c.Limits.laxerPer(old), due: never,
	}
	e.protectHead()
	e.change.first = e.counts[countFirst]
	e.cfg.Limits = c.Limits
	e.change.shrinks = e.overLimit()
	if perChanges {
		// A subject may get messages while there is no limit, which its queue would lack.
		e.per.queues, e.per.kept = nil, 0
	}
	if ttlChanges {
		e.ttlChanged()
	}
	if ttlChanges || c.Limits.MaxAge != old.MaxAge {
		e.ageChanged()
	}
	return true
}

// change is a change of the limits that is under way.
type change struct {
	step  changeStep
	tag   any
	first uint64 // of the stream, when the change began
	head  bool   // limits that have removed messages from the head of the stream are raised
	per   bool   // MaxMsgsPer is, and has removed messages that no tombstone names
	// shrinks tells that MaxMsgs or MaxBytes was lowered below what the stream holds.
	shrinks bool
	thins   bool   // MaxMsgsPer is lowered
	block   uint32 // blocks of lower numbers are done with
	last    uint32 // the last block, when the change began
	// loaded is the number of the block whose table was loaded for the change.
	loaded uint32
	files  []uint32 // of blocks that were evicted, and have to go first
	due    int64    // when to go on at the latest, if no work is out that will be completed
}

// noChange is the change of all engines of which none is under way. It is never changed.
var noChange = &change{due: never}

// changeStep is what is being done of a change.
type changeStep uint8

const (
	changeNothing changeStep = iota
	changeSecure             // tombstones are written for what the old limits have evicted
	changeFiles              // files of evicted blocks, to which no tombstones were written, are removed
	changeShrink             // MaxMsgs and MaxBytes are applied
	changeThin               // so is MaxMsgsPer
	changeAge                // and MaxAge, last as when a stream is opened
)

// changePause is the longest time from one block of a change to the next, unless that has to be loaded.
const changePause = int64(time.Millisecond)

// mostStaged bounds what waits to be written while a change goes on, in bytes.
const mostStaged = 1 << 20

// goOnChanging does what it can of a change of limits: not more than one block of it in which there is
// something to do.
func (e *Engine) goOnChanging() {
	c := e.change
	if c.step == changeNothing {
		return
	}
	c.due = never
	if e.stopped {
		e.changed(ErrStopped)
		return
	}
	steps := [...]func() (bool, error){changeSecure: e.secureEvicted, changeFiles: e.evictedGone, changeShrink: e.applyLowered, changeThin: e.thinSubjects, changeAge: e.agedGone}
	for int(c.step) < len(steps) {
		done, err := steps[c.step]()
		if err != nil {
			e.changed(err)
			return
		}
		if !done {
			return
		}
		c.block = 0
		if c.step++; c.step == changeAge {
			e.expire()
		}
	}
	if !e.perLimited() {
		e.per.evicted = nil // tombstones name all of it
	}
	tag := c.tag
	e.change = noChange
	(&Flush{}).apply(e, tag)
	e.goOn()
}

// changed ends a change that has not come to its end.
func (e *Engine) changed(err error) {
	tag := e.change.tag
	e.change = noChange
	e.armExpiry()
	e.reply(Reply{Tag: tag, Err: err})
}

// rest has the change go on a little later: there is no work of which the completion would have it go on.
func (e *Engine) rest() { e.change.due = e.steady + changePause }

// holdsEvicted reports whether files may hold messages that MaxMsgsPer has evicted and that no tombstone names.
func (e *Engine) holdsEvicted() bool { return e.perLimited() || e.per.evicted != nil }

// secureEvicted writes tombstones for what the old limits have evicted and files still hold: by MaxMsgsPer from
// anywhere, and from the head of the stream what the first block holds. A floor tells of all of the latter, but
// a nats-server knows no floor.
func (e *Engine) secureEvicted() (done bool, err error) {
	c := e.change
	if !c.head && !c.per {
		return true, nil
	}
	if e.inflight != nil && e.current.size > mostStaged {
		return false, nil
	}
	for _, b := range e.blocks {
		if b.id < c.block || b.id > c.last || !c.concerns(b) {
			continue
		}
		switch ready, unreadable := e.changeTable(b); {
		case unreadable:
			return false, fmt.Errorf("%w: block %d", ErrUnreadable, b.id)
		case !ready:
			return false, nil
		}
		graves := e.evictedIn(b)
		e.leaveTable(b)
		c.block = b.id + 1
		if len(graves) > 0 {
			e.writeRemovals(0, graves)
			e.rest()
			return false, nil
		}
	}
	return true, nil
}

// concerns reports whether a block may hold messages for which the change has to write tombstones.
func (c *change) concerns(b *block) bool {
	return b.thinned && b.firstMsg > 0 && b.last >= c.first && (c.per || b.firstMsg < c.first)
}

// evictedIn returns the tombstones of a block, whose tables are in memory.
func (e *Engine) evictedIn(b *block) (graves []Tombstone) {
	c := e.change
	for _, t := range [...]*Table{b.scanned, b.appended} {
		if t == nil {
			continue
		}
		for i := range t.n {
			if s := t.slot(i); (t == b.appended) == (s.sequence >= b.tailFrom) && !b.live(s.sequence) &&
				(s.sequence < c.first || c.per && e.per.evicted.has(t.subjectOf(e.subjects, i))) {
				graves = append(graves, Tombstone{s.sequence, s.time})
			}
		}
	}
	return graves
}

// changeTable reports whether the tables of a block are in memory. It has asked for what is missing, unless the last
// attempt to read it has failed.
func (e *Engine) changeTable(b *block) (ready, unreadable bool) {
	if b.scannedSize == 0 || b.firstMsg >= b.tailFrom || b.scanned != nil {
		return true, false
	}
	if !e.request(b) {
		return false, true
	}
	e.change.loaded = b.id
	return false, false
}

// leaveTable gives up a table that was loaded for the change, when it is of no other use.
func (e *Engine) leaveTable(b *block) {
	if e.change.loaded == b.id && !e.nearHead(b) {
		b.returnTable()
	}
}

// evictedGone reports whether the files are gone of all blocks that were evicted before tombstones were written
// for those that were left: what MaxMsgsPer has evicted would come back with them.
func (e *Engine) evictedGone() (bool, error) {
	c := e.change
	if !c.head && !c.per {
		return true, nil
	}
	left := e.evictedFiles()
	if c.files == nil {
		c.files = left
	}
	for _, id := range c.files {
		for _, other := range left {
			if id != other {
				continue
			}
			if e.steady >= e.durability.removeAt {
				return false, nil
			}
			if c.per {
				return false, fmt.Errorf("%w: block %d, which a limit has emptied, cannot be removed", ErrUnreadable, id)
			}
		}
	}
	return true, nil
}

// evictedFiles returns the numbers of the blocks that were evicted and whose files are not gone yet.
func (e *Engine) evictedFiles() []uint32 {
	list := append([]uint32{}, e.current.evicted...)
	if e.inflight != nil {
		list = append(list, e.inflight.evicted...)
	}
	for _, v := range e.durability.evicted {
		list = append(list, v.block)
	}
	for _, w := range e.pending {
		if w.Kind == WorkRemove {
			list = append(list, w.Block)
		}
	}
	return list
}

// shrinking reports whether MaxMsgs and MaxBytes wait to be applied since they were lowered. Stores do not wait
// for that: they come on top of what is too much.
func (e *Engine) shrinking() bool { return e.change.shrinks && e.change.step <= changeShrink }

// applyLowered applies MaxMsgs and MaxBytes, block by block.
func (e *Engine) applyLowered() (done bool, _ error) {
	for e.overLimit() {
		b, before := e.head(), e.counts[countMessages]
		if _, loaded := b.table(b.firstLive); !loaded && !b.unreadable() {
			e.want(b)
			return false, nil
		}
		if e.enforce(); e.counts[countMessages] == before {
			return false, nil
		}
	}
	return true, nil
}

// overLimit reports whether the stream holds more than MaxMsgs and MaxBytes allow, if they remove messages.
func (e *Engine) overLimit() bool {
	l := &e.cfg.Limits
	return e.counts[countMessages] > 0 &&
		(int64(e.counts[countMessages]) > l.evictsAt(l.MaxMsgs) || int64(e.counts[countBytes]) > l.evictsAt(l.MaxBytes))
}

// beforeAge reports whether a change of limits is under way that has not come to MaxAge yet.
func (c *change) beforeAge() bool { return c.step != changeNothing && c.step < changeAge }

// agedGone reports whether MaxAge, which was applied behind the other limits, waits for no table any more.
func (e *Engine) agedGone() (bool, error) { return !e.expiry.waits, nil }

// thinning reports whether the subject has more messages than it may have since MaxMsgsPer was lowered: the change
// will remove the oldest. Where it has as many as it may have, the change has come past the oldest already.
func (e *Engine) thinning(now subjectNow) bool {
	return e.change.thins && now.count > uint64(e.cfg.Limits.MaxMsgsPer)
}

// thinSubjects applies MaxMsgsPer, from the oldest block to the newest. A message is removed if its subject has too
// many when its turn comes: all older ones are gone then.
func (e *Engine) thinSubjects() (done bool, _ error) {
	c := e.change
	if !c.thins || c.block == 0 && !e.anyOver() {
		return true, nil
	}
	for _, b := range e.blocks {
		if b.id < c.block || b.msgs == 0 {
			continue
		}
		switch ready, unreadable := e.changeTable(b); {
		case unreadable: // its messages stay until the stream is opened anew
		case !ready:
			return false, nil
		default:
			n := e.thinBlock(b)
			e.leaveTable(b)
			if n > 0 {
				c.block = b.id + 1
				e.removed()
				e.rest()
				return false, nil
			}
		}
		c.block = b.id + 1
	}
	return true, nil
}

// anyOver reports whether a subject has too many messages.
func (e *Engine) anyOver() (over bool) {
	limit := uint64(e.cfg.Limits.MaxMsgsPer)
	for id := range e.staging.deltas {
		over = over || e.countOf(id) > limit
	}
	everything := subject.Everything()
	e.subjects.Tree().Walk(&everything, func(_ []byte, info subjects.Info) bool {
		over = over || info.Count > limit
		return !over
	})
	return over
}

// thinBlock removes from a block, whose tables are in memory, the messages of subjects that have too many. It
// returns how many these were.
func (e *Engine) thinBlock(b *block) (n int) {
	limit := uint64(e.cfg.Limits.MaxMsgsPer)
	for _, t := range [...]*Table{b.scanned, b.appended} {
		for i := 0; t != nil && i < t.n && b.msgs > 0; i++ {
			sequence := t.Sequence(i)
			if (t == b.appended) != (sequence >= b.tailFrom) || !b.live(sequence) {
				continue
			}
			id := t.subjectOf(e.subjects, i)
			if id == noSubject || e.countOf(id) <= limit {
				continue
			}
			e.per.evicted.add(id)
			e.removeAt(b, t, i, countRemovedPer)
			n++
		}
	}
	return n
}

// countOf returns how many messages a subject has, what is staged included. The engine tracks.
func (e *Engine) countOf(id uint32) uint64 {
	info, _ := e.subjects.Info(id)
	d := e.staging.deltas[id]
	return info.Count + uint64(d.stored[0]) + uint64(d.stored[1]) - uint64(d.removed[0]) - uint64(d.removed[1])
}
