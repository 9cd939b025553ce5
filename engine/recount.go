package engine

import (
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// When messages are lost of which nobody knows the subjects, the subject index still counts them. What it
// counts too many is then found out: by how much the count of each subject exceeds the messages that the
// tables of all blocks list. Nothing that happens meanwhile changes that excess, since a message that is
// stored or removed changes both counts alike. So the tables need not be in memory at one time: the blocks
// are counted one after the other, and what is removed of a block that was counted is taken off.
//
// Until that is done, State.Recounting tells readers that the index counts too many.

// recount is how far the counting has come.
type recount struct {
	running bool
	next    uint32  // the blocks below this number are counted
	counted []int64 // what they have of each subject, by its number in the index
}

// correction is how many messages of a subject the index counts too many.
type correction struct {
	subject uint32
	excess  uint64
}

// countAnew has the subjects counted, since messages of a block were lost of which nobody knows the subjects.
func (e *Engine) countAnew(b *block) {
	if r := &e.recount; !r.running || b.id < r.next {
		*r = recount{running: true}
	}
	e.counts[countRecounting] = 1
}

// remove has the subject index told, once the group is published, that a message of a block was removed.
func (e *Engine) remove(b *block, subject uint32, sequence uint64) {
	e.current.removals = append(e.current.removals, removal{subject, 0, sequence})
	e.stagedRemovals(subject, 1)
	if r := &e.recount; r.running && b.id < r.next {
		r.add(subject, -1)
	}
}

// removeMany is remove for the first messages of a subject, up to a sequence.
func (e *Engine) removeMany(b *block, subject, count uint32, through uint64) {
	e.current.removals = append(e.current.removals, removal{subject, count, through})
	e.stagedRemovals(subject, count)
	if r := &e.recount; r.running && b.id < r.next {
		r.add(subject, -int64(count))
	}
}

// add changes the count of a subject.
func (r *recount) add(subject uint32, n int64) {
	if subject == noSubject {
		return
	}
	for int(subject) >= len(r.counted) {
		r.counted = append(r.counted, 0)
	}
	r.counted[subject] += n
}

// goOnCounting counts the blocks whose tables are in memory, and asks for the first one that is not.
func (e *Engine) goOnCounting() {
	r := &e.recount
	if !r.running || e.stopped {
		return
	}
	for i, b := range e.blocks {
		if b.id < r.next {
			continue
		}
		if b.msgs > 0 {
			if b.firstLive < b.tailFrom && b.scanned == nil {
				e.request(b)
				return
			}
			e.countBlock(b)
		}
		if i+1 < len(e.blocks) { // the last one may take more
			r.next = b.id + 1
		}
	}
	e.correctCounts()
	*r = recount{}
	e.counts[countRecounting] = 0
	e.current.removed = true
}

// countBlock counts the live messages of a block. Its table is given up, unless a limit is about to need it.
func (e *Engine) countBlock(b *block) {
	b.eachLive(func(t *Table, i int) { e.recount.add(t.subjectOf(e.subjects, i), 1) })
	if b.scanned != nil && !(e.cfg.Limits.evicts() && e.nearHead(b)) {
		b.scanned, b.inAppended, b.cursor = nil, false, 0
	}
}

// eachLive calls visit for the live messages that the tables of a block list.
func (b *block) eachLive(visit func(t *Table, i int)) {
	for _, t := range [...]*Table{b.scanned, b.appended} {
		if t == nil {
			continue
		}
		for i := t.Search(b.firstLive); i < t.n; i++ {
			if !b.deleted.contains(t.Sequence(i)) {
				visit(t, i)
			}
		}
	}
}

// settleBytes replaces the size of a block's messages, which is too large where messages of unknown size were
// lost, by that of those that its tables list, if these are all.
func (e *Engine) settleBytes(b *block) {
	var messages, bytes uint64
	b.eachLive(func(t *Table, i int) {
		messages++
		bytes += uint64(t.slot(i).size())
	})
	if messages != b.msgs || bytes >= b.bytes {
		return
	}
	lost := b.bytes - bytes
	b.bytes = bytes
	e.counts[countBytes] -= lost
	e.addLostBytes(b.id, lost)
	e.current.removed = true
}

// correctCounts stages what the subject index counts too many. All blocks are counted, as they are with what
// is staged; the index is of what is published.
func (e *Engine) correctCounts() {
	if g := e.inflight; g != nil {
		e.recount.publishedOnly(g, false)
	}
	e.recount.publishedOnly(e.current, true)
	everything := subject.Everything()
	e.subjects.Tree().Walk(&everything, func(_ []byte, info subjects.Info) bool {
		have := int64(0)
		if int(info.ID) < len(e.recount.counted) {
			have = e.recount.counted[info.ID]
		}
		if excess := int64(info.Count) - have; excess > 0 {
			e.current.corrections = append(e.current.corrections, correction{info.ID, uint64(excess)})
			e.stagedRemovals(info.ID, uint32(excess))
		}
		return true
	})
}

// publishedOnly takes back what a group changes that is not published. gathers tells that it is not closed.
func (r *recount) publishedOnly(g *group, gathers bool) {
	for i := range g.pieces {
		p := &g.pieces[i]
		slots := p.slots
		if gathers && !p.seal && p.block.appended != nil {
			slots = p.block.appended.n
		}
		for slot := p.counted; slot < slots; slot++ {
			r.add(p.block.appended.Subject(slot), -1)
		}
	}
	for _, m := range g.removals {
		r.add(m.subject, int64(max(m.count, 1)))
	}
	for _, c := range g.corrections {
		r.add(c.subject, int64(c.excess))
	}
}
