package engine

import (
	"slices"
	"sort"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
)

// The bounds of one run of MaxAge: blocks that it looks at, tables that it asks for, and messages that it
// removes from behind others.
const (
	mostDueBlocks = 64
	mostDueLoads  = 2
	mostDue       = 4096
)

// watchAge sees to it that a block is looked at in time, to which a message was added.
func (e *Engine) watchAge(b *block) {
	if e.maxAge() <= 0 || b.times.Lowest() == never {
		return
	}
	if b.times.Lowest() > e.now {
		if b.due == never {
			e.lookAt(b, stamps.Later(e.now, expiryDistance))
		}
		return
	}
	if due := stamps.Later(b.times.Lowest(), e.maxAge()); due < b.due {
		e.lookAt(b, due)
	}
}

// watchAges has all blocks looked at in time.
func (e *Engine) watchAges() {
	for _, b := range e.blocks {
		switch {
		case b.msgs == 0 || e.maxAge() <= 0:
		case b.times.Lowest() > e.now:
			e.lookAt(b, e.now)
		default:
			e.watchAge(b)
		}
	}
}

// ageChanged has all blocks looked at in time after MaxAge was changed.
func (e *Engine) ageChanged() {
	e.expiry.blocks.Clear()
	for _, b := range e.blocks {
		b.due = never
	}
	e.watchAges()
}

// lookAt has MaxAge look at a block at a time.
func (e *Engine) lookAt(b *block, due int64) {
	x := &e.expiry
	if b.due != never {
		x.blocks.Remove(uint64(b.id), b.due)
	}
	if b.due = due; due == never {
		return
	}
	x.blocks.Add(uint64(b.id), due)
	x.due = min(x.due, max(due, x.ran+expiryDistance))
}

// dueBlocks returns the blocks whose time has come, or the first of them, in order. It reports whether there
// are more. They are out of the wheel.
func (e *Engine) dueBlocks() (due []*block, more bool) {
	var ids []uint64
	e.expiry.blocks.Expire(e.now, func(id uint64, _ int64) bool {
		if more = len(ids) == mostDueBlocks; !more {
			ids = append(ids, id)
		}
		return !more
	})
	slices.Sort(ids)
	for _, id := range ids {
		i := sort.Search(len(e.blocks), func(i int) bool { return uint64(e.blocks[i].id) >= id })
		if i < len(e.blocks) && uint64(e.blocks[i].id) == id {
			due = append(due, e.blocks[i])
			e.blocks[i].due = never
		}
	}
	return due, more
}

// agePass looks for messages that are due.
type agePass struct {
	e      *Engine
	cutoff int64 // of times that are due
	loads  int
	list   []uint64 // the sequences that are
}

func (e *Engine) newAgePass() agePass {
	return agePass{e: e, cutoff: stamps.Earlier(e.now, e.maxAge())}
}

// lookAround notes the times around messages that are ahead of the clock.
func (p *agePass) lookAround(due []*block) {
	for _, b := range due {
		if b.msgs > 0 {
			p.around(b)
		}
	}
}

// expire removes what is due in blocks. It reports whether there is more.
func (p *agePass) expire(due []*block) (more bool) {
	e := p.e
	for _, b := range due {
		if b.msgs > 0 && e.indexOf(b) >= 0 {
			e.lookAt(b, p.look(b))
		}
	}
	return len(p.list) > 0 && e.removeInOrder(p.list, countRemovedAge) && len(p.list) == mostDue
}

// look looks for what is due in a block, and returns when to look at it again.
func (p *agePass) look(b *block) (next int64) {
	if b.unseen > 0 {
		return stamps.Later(p.e.now, retryLives) // or when it is known which messages live for ever
	}
	if wait := p.needTables(b); wait > 0 {
		return wait
	}
	e, age := p.e, p.e.maxAge()
	ascend := b.timesAscend()
	if ascend && b.maxTime <= e.now && !b.timeStale && !b.hasForEver() {
		if b.times.From(b.firstTime); b.firstTime > p.cutoff {
			p.forget(b)
			return b.times.Due(age, e.now, stamps.None)
		}
	} else {
		b.summarize(e.now)
	}
	around, wait := p.around(b)
	if wait > 0 {
		return wait
	}
	found := len(p.list)
	b.each(func(sequence uint64, time int64) bool {
		isDue := stamps.ForExpiry(time, e.now, around) <= p.cutoff
		if isDue && !b.livesForEver(sequence) {
			p.list = append(p.list, sequence)
		}
		return len(p.list) < mostDue && (isDue || !ascend || time > e.now)
	})
	if len(p.list) > found || len(p.list) == mostDue {
		return e.now // when they are gone
	}
	p.forget(b)
	return b.times.Due(age, e.now, around)
}

// needTables returns 0 when the tables of a block are in memory, and else when to look at it again. It asks for
// the one that is missing.
func (p *agePass) needTables(b *block) (wait int64) {
	if b.firstLive >= b.tailFrom || b.scanned != nil {
		return 0
	}
	switch {
	case b.unreadable():
		// Once it is at the head of the stream it goes as a whole.
		return max(stamps.Later(b.unreadUntil(), p.e.maxAge()), p.e.now+retryLoad)
	case p.e.serving() && p.loads < mostDueLoads && p.e.want(b):
		p.loads++
		p.e.expiry.waits = true
	}
	return p.e.now
}

// around returns the highest time around the messages of a block that is not ahead of the clock, as long as
// there were any. If it takes a table that is not in memory, it returns when to try again.
func (p *agePass) around(b *block) (around, wait int64) {
	e := p.e
	if b.maxTime <= e.now {
		return stamps.None, 0
	}
	if b.around > e.now {
		b.around = stamps.None // the clock has gone back
	}
	i := e.indexOf(b)
	for {
		around, unknown, ok := stamps.Around(i, len(e.blocks), func(j int) *stamps.Summary { return e.blocks[j].liveTimes() }, e.now)
		if ok {
			b.around = max(b.around, around)
			return b.around, 0
		}
		if wait := p.needTables(e.blocks[unknown]); wait > 0 {
			return b.around, wait
		}
		e.blocks[unknown].summarize(e.now)
	}
}

// forget drops the table of a block that was looked at, if no limit is about to reach it.
func (p *agePass) forget(b *block) {
	if p.e.serving() && !p.e.nearHead(b) && b.firstLive < b.tailFrom {
		b.scanned = nil
	}
}

var noTimes = stamps.NoStamps()

// liveTimes returns the times of the block's messages.
func (b *block) liveTimes() *stamps.Summary {
	if b.msgs == 0 {
		return &noTimes
	}
	return &b.times
}

// summarize sums up the times of the block's live messages anew, without those that live for ever.
func (b *block) summarize(now int64) {
	b.times = stamps.NoStamps()
	b.each(func(sequence uint64, time int64) bool {
		if !b.livesForEver(sequence) {
			b.times.Add(time, now)
		}
		return true
	})
}

// ageUnknown forgets the times of the block's messages but for the highest.
func (b *block) ageUnknown() { b.times = stamps.Between(stamps.None, b.maxTime) }

// timesAscend reports whether no message in the block's tables has an earlier time than the one before it.
func (b *block) timesAscend() bool {
	last := stamps.None
	for _, t := range [...]*Table{b.scanned, b.appended} {
		if t == nil || t.n == 0 {
			continue
		}
		if t.slot(0).time < last || t.slot(t.n-1).disordered() {
			return false
		}
		last = t.slot(t.n - 1).time
	}
	return true
}

// each calls visit for the block's live messages that are in its tables, in order, until it returns false.
func (b *block) each(visit func(sequence uint64, time int64) bool) {
	for _, t := range [...]*Table{b.scanned, b.appended} {
		if t == nil {
			continue
		}
		for i := t.Search(b.firstLive); i < t.n; i++ {
			s := t.slot(i)
			if t == b.scanned && s.sequence >= b.tailFrom {
				break
			}
			if !b.deleted.contains(s.sequence) && !visit(s.sequence, s.time) {
				return
			}
		}
	}
}
