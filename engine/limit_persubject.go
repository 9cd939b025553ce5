package engine

import (
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// MaxMsgsPer removes the oldest message of a subject that has one more. It leaves no tombstone, since it is
// applied again when the stream is opened: the newest MaxMsgsPer messages of a subject stay, of those that no
// tombstone names. For that to be what it was, whoever removes a message of a subject that the limit has
// evicted messages of writes tombstones for those, too (see removal of evicted).
//
// With a limit of 1 the message to remove is the one that was the last, which the subject index knows. With
// another limit the sequences of the subject are found once, and kept for as long as there is room.

// perSubject is what MaxMsgsPer needs to know.
type perSubject struct {
	queues map[uint32]*subjectQueue // by the number of the subject
	kept   int                      // records in them
	// evicted has the numbers of subjects of which files may hold messages that the limit has evicted.
	evicted idSet
}

// idSet is a set of small numbers.
type idSet []uint64

func (s *idSet) add(id uint32) {
	for uint32(len(*s)) <= id/64 {
		*s = append(*s, 0)
	}
	(*s)[id/64] |= 1 << (id % 64)
}

func (s idSet) has(id uint32) bool { return id/64 < uint32(len(s)) && s[id/64]&(1<<(id%64)) != 0 }

// subjectQueue is the messages of a subject, oldest first. Some of them may be removed already.
type subjectQueue struct{ records []sizedSequence }

type sizedSequence struct {
	sequence uint64
	size     uint32
}

// mostQueued bounds the records in all queues of a stream. Each queue counts for some records more.
const (
	mostQueued    = 1 << 18
	queueOverhead = 8
)

// perLimited reports whether MaxMsgsPer bounds the messages of a subject.
func (e *Engine) perLimited() bool { return e.cfg.Limits.MaxMsgsPer > 0 }

// perReady sees to it that so many messages of a subject can be stored: that it is known what would be
// removed. It reports false when that has to be looked up, or, with an error, cannot be.
func (e *Engine) perReady(name string, more uint64) (now subjectNow, ready bool, err error) {
	if !e.perLimited() || name == "" {
		return now, true, nil
	}
	e.track()
	e.dropQueues()
	now = e.subjectNow(name)
	limit := uint64(e.cfg.Limits.MaxMsgsPer)
	switch q := e.per.queues[now.id]; {
	case now.count+more <= limit, e.thinning(now):
		return now, true, nil
	case now.known && q != nil:
		if e.trimQueue(q); uint64(len(q.records)) >= now.count {
			return now, true, nil
		}
	case limit == 1 && now.count <= 1 && !e.recount.running && (now.count == 0 || now.last > 0 && now.size > 0):
		return now, true, nil
	}
	return e.findQueue(name, now)
}

// findQueue makes the queue of a subject.
func (e *Engine) findQueue(name string, now subjectNow) (_ subjectNow, ready bool, err error) {
	q := &subjectQueue{}
	if now.count > 0 {
		set := subject.NewSet(subject.Literal(name))
		list, outcome := e.gather(&set, e.firstOf(now.id), maxSequence, false)
		if outcome != gatheredAll {
			if outcome == unreadableBlock {
				err = e.findError()
			}
			return now, false, err
		}
		for i := range list {
			q.records = append(q.records, sizedSequence{list[i].sequence(), list[i].table.slot(list[i].index).size()})
		}
	}
	if !now.known {
		// The subject gets its number when the first message is stored, and the queue with it.
		return now, true, nil
	}
	e.keepQueue(now.id, q)
	return e.subjectNow(name), true, nil
}

// refuseUnreadable answers a command that cannot be carried out since a block cannot be read. Without an
// error the command waits.
func (e *Engine) refuseUnreadable(tag any, err error) bool {
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
	}
	return err != nil
}

// oldestSize returns the size of the oldest message of a subject, as perReady has found it.
func (e *Engine) oldestSize(now subjectNow) int64 {
	if q := e.per.queues[now.id]; q != nil && len(q.records) > 0 {
		return int64(q.records[0].size)
	}
	return int64(now.size)
}

// firstOf returns a sequence that no message of a subject comes before.
func (e *Engine) firstOf(id uint32) uint64 {
	if info, ok := e.subjects.Info(id); ok {
		return info.First
	}
	return 1
}

// keepQueue keeps a queue.
func (e *Engine) keepQueue(id uint32, q *subjectQueue) {
	p := &e.per
	if p.queues == nil {
		p.queues = make(map[uint32]*subjectQueue)
	}
	if old := p.queues[id]; old != nil {
		p.kept -= len(old.records) + queueOverhead
	}
	p.queues[id] = q
	p.kept += len(q.records) + queueOverhead
}

// dropQueues drops queues, any of them, while there are too many records in all.
func (e *Engine) dropQueues() {
	p := &e.per
	for id, q := range p.queues {
		if p.kept <= mostQueued {
			return
		}
		p.kept -= len(q.records) + queueOverhead
		delete(p.queues, id)
	}
}

// trimQueue takes removed messages off the head of a queue. It reports whether any is left.
func (e *Engine) trimQueue(q *subjectQueue) bool {
	n := 0
	for n < len(q.records) && e.blockOf(q.records[n].sequence) == nil {
		n++
	}
	if n > 0 {
		q.records = q.records[n:]
		e.per.kept -= n
	}
	return len(q.records) > 0
}

// liveIn returns how many messages there are in a queue, from which it takes those that were removed.
func (e *Engine) liveIn(q *subjectQueue) uint64 {
	before := len(q.records)
	q.records = slices.DeleteFunc(q.records, func(r sizedSequence) bool { return e.blockOf(r.sequence) == nil })
	e.per.kept -= before - len(q.records)
	return uint64(len(q.records))
}

// enforcePer removes the oldest message of a subject that has got one more than it may have. before is what
// it had before that.
func (e *Engine) enforcePer(id uint32, before subjectNow, sequence uint64, size int) {
	if !e.perLimited() || id == noSubject {
		return
	}
	limit := uint64(e.cfg.Limits.MaxMsgsPer)
	if before.count == 0 && limit > 1 {
		e.keepQueue(id, &subjectQueue{})
	}
	if q := e.per.queues[id]; q != nil {
		q.records = append(q.records, sizedSequence{sequence, uint32(size)})
		e.per.kept++
	}
	if before.count < limit || e.thinning(before) {
		return
	}
	oldest := sizedSequence{before.last, before.size}
	if q := e.per.queues[id]; q != nil {
		if !e.trimQueue(q) {
			return
		}
		oldest = q.records[0]
		q.records = q.records[1:]
		e.per.kept--
	}
	if b := e.blockOf(oldest.sequence); b != nil {
		e.removeKnown(b, id, oldest)
	}
}

// beforePer protects what MaxBytes has removed from the head of the stream ahead of messages for which
// MaxMsgsPer will not count older ones of their subjects, when the stream is opened: without the bytes of those
// there would be room for the head again. (MaxMsgs alone cannot bring anything back: what it leaves is the newest
// of what MaxMsgsPer leaves.)
func (e *Engine) beforePer() {
	if e.perLimited() && e.cfg.Limits.MaxBytes > 0 && e.cfg.Limits.Discard == DiscardOld {
		e.protectHead()
	}
}

// removeKnown removes a live message of which all is known that the tables would tell, by MaxMsgsPer.
func (e *Engine) removeKnown(b *block, id uint32, r sizedSequence) {
	e.per.evicted.add(id)
	e.take(b, id, r.sequence, uint64(r.size), countRemovedPer)
	e.afterRemoval(b, r.sequence)
	e.removed()
}

// perSettled reports whether all files that the limit has emptied are gone. Somebody who removes a message has
// to wait for that: what a file holds that no tombstone names would come back with it, when the subject has less
// messages than it may have. It gives up, with an error, when a file cannot be removed.
func (e *Engine) perSettled() (settled bool, err error) {
	if !e.holdsEvicted() || !e.evicting() {
		return true, nil
	}
	if e.steady < e.durability.removeAt {
		return false, fmt.Errorf("%w: a block that a limit has emptied cannot be removed", ErrUnreadable)
	}
	return false, nil
}

// evictedOf returns the tombstones of the messages of a subject that the limit has evicted and files may still
// hold, for one who is about to remove the message of a sequence. Without them they would come back when the
// stream is opened, as the subject then has less messages than it may have.
func (e *Engine) evictedOf(id uint32, before uint64) (graves []Tombstone, ready bool, err error) {
	if !e.holdsEvicted() || id == noSubject || !e.per.evicted.has(id) {
		return nil, true, nil
	}
	return e.gravesOf([]subject.Pattern{subject.Literal(string(e.subjects.AppendName(nil, id)))}, before)
}

// gravesOf returns the tombstones of the removed messages of subjects that files still hold, up to a sequence.
func (e *Engine) gravesOf(names []subject.Pattern, before uint64) (graves []Tombstone, ready bool, err error) {
	set := subject.NewSet(names...)
	list, outcome := e.gather(&set, 1, before, true)
	switch outcome {
	case gatheredSome:
		return nil, false, nil
	case unreadableBlock:
		return nil, false, e.findError()
	}
	for i := range list {
		if m := &list[i]; !m.live() {
			graves = append(graves, m.tombstone())
		}
	}
	return graves, true, nil
}

// stayBelow notes that the first message of a block, which a floor removes while the stream is opened, stays in
// its file. It may be one that the limit had evicted, and a nats-server, which knows no floor, would bring it back.
func (e *Engine) stayBelow(b *block) {
	if t, i, ok := b.head(); ok && e.perLimited() {
		if id := t.subjectOf(e.subjects, i); id != noSubject {
			e.per.evicted.add(id)
		}
	}
}

// evictedBelow returns tombstones for the removed messages of a list that the limit may have evicted, for one who
// removes all others with a floor: a nats-server knows no floor, and would bring them back.
func (e *Engine) evictedBelow(list []match) (dead []Tombstone) {
	for i := range list {
		m := &list[i]
		if m.live() {
			continue
		}
		if id := m.table.subjectOf(e.subjects, m.index); id != noSubject && e.per.evicted.has(id) {
			dead = append(dead, m.tombstone())
		}
	}
	return dead
}
