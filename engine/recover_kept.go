package engine

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
)

// Kept says which messages of a block are live, by somebody who had the stream before and may have removed the
// others without tombstones, or lost those.
type Kept struct {
	Block uint32
	// First and Last are the sequences outside of which no message is live, and Deleted has those between them of
	// which none is.
	First, Last uint64
	Deleted     Sequences
}

// Sequences is a set of sequences.
type Sequences interface {
	Contains(sequence uint64) bool
	// Ranges are the sequences as ranges, the first and the last one, which ascend.
	Ranges() iter.Seq2[uint64, uint64]
}

func (k *Kept) live(sequence uint64) bool {
	return k.First <= sequence && sequence <= k.Last && !k.Deleted.Contains(sequence)
}

// agrees reports whether all messages of a block are said to be live.
func (k *Kept) agrees(b *block) bool {
	if b.msgs == 0 {
		return true
	}
	if b.firstLive < k.First || k.Last < k.First {
		return false
	}
	for first, last := range k.Deleted.Ranges() {
		first, last = max(first, b.firstLive), min(last, b.last)
		if first <= last && len(b.liveWithin(first, last)) > 0 {
			return false
		}
	}
	return true
}

// Keep has all messages of a block removed but those that are said to be live, when all tombstones have been
// applied. A block that has a message above Last is left as it is: what is said of it is older than its records.
//
// What shows that these messages are removed may be about to go: what replaces it, tombstones, is durable before the
// files of Config.Derived are removed. A message that MaxMsgsPer removes at each opening needs none.
func (r *Recovery) Keep(k Kept) {
	if r.keeps == nil {
		r.keeps = make(map[uint32]Kept)
	}
	r.keeps[k.Block] = k
}

// Lacks returns the messages that are said to be live and of which the block has no record.
func (r *Recovery) Lacks(k Kept) (lacks []SequenceRange) {
	var has []SequenceRange
	blocks := r.e.blocks
	i, found := slices.BinarySearchFunc(blocks, k.Block, func(b *block, id uint32) int { return cmp.Compare(b.id, id) })
	if found && blocks[i].msgs > 0 {
		has = blocks[i].liveWithin(max(k.First, blocks[i].firstMsg), min(k.Last, blocks[i].last))
	}
	gaps := make([]SequenceRange, 0, len(has)+1)
	next := k.First
	for _, h := range append(has, SequenceRange{k.Last + 1, k.Last + 1}) {
		if next < h.First {
			gaps = append(gaps, SequenceRange{next, h.First - 1})
		}
		next = h.Last + 1
	}
	i = 0
	for first, last := range k.Deleted.Ranges() {
		for ; i < len(gaps) && gaps[i].First <= last; i++ {
			if gaps[i].First < first {
				lacks = append(lacks, SequenceRange{gaps[i].First, min(gaps[i].Last, first-1)})
			}
			if gaps[i].Last > last {
				gaps[i].First = max(gaps[i].First, last+1)
				break
			}
		}
	}
	return append(lacks, gaps[i:]...)
}

// EndedAt is AtLeast for one who knows the last time as well, 0 for none, from what may be about to go, as for
// Keep.
func (r *Recovery) EndedAt(sequence uint64, time int64) {
	r.AtLeast(sequence)
	r.ended = Tombstone{Sequence: sequence, Time: time}
	r.secures = true
}

// StartedAt is RemoveBelow for one who knows that from what may be about to go, as for Keep.
func (r *Recovery) StartedAt(sequence uint64) {
	r.RemoveBelow(sequence)
	r.secures = true
}

// endTime returns the time of the skip that makes the last sequence what it is to be at least.
func (r *Recovery) endTime() int64 {
	if r.ended.Sequence == r.atLeast && r.ended.Time != 0 {
		return r.ended.Time
	}
	return r.e.skipTime()
}

// keeping is what is left to do of Keep while a stream is being opened.
type keeping struct {
	blocks map[uint32]Kept
	asked  *block // whose table was asked for
	graves []grave
}

// grave is a message that was removed and has no tombstone yet.
type grave struct {
	Tombstone
	subject uint32
	size    uint32
	below   bool // a floor says that it is removed, which a nats-server does not know
}

// keepOnly removes what Keep does not let stay. It reports false when a table for that is not in memory yet; it
// has asked for it then.
func (e *Engine) keepOnly(o *opening) bool {
	k := &o.keeping
	if k.blocks == nil {
		return true
	}
	for _, b := range e.blocks {
		kept, ok := k.blocks[b.id]
		if !ok {
			continue
		}
		if kept.agrees(b) {
			delete(k.blocks, b.id)
			continue
		}
		if b.scanned == nil {
			k.asked = b // one at a time: there may be very many
			e.request(b)
			return false
		}
		e.removeUnkept(o, b, &kept)
		delete(k.blocks, b.id)
		if b == k.asked && !e.nearHead(b) {
			b.scanned = nil
		}
	}
	graves := k.graves
	*k = keeping{}
	e.entombUnkept(graves)
	return true
}

// removeUnkept removes from a block, whose table is in memory, what is not said to be live.
func (e *Engine) removeUnkept(o *opening, b *block, kept *Kept) {
	t := b.scanned
	if b.msgs == 0 || t.n > 0 && t.Sequence(t.n-1) > kept.Last {
		return
	}
	for i := range t.n {
		sequence := t.Sequence(i)
		if !b.live(sequence) || kept.live(sequence) {
			continue
		}
		at := t.slot(i)
		o.keeping.graves = append(o.keeping.graves, grave{
			Tombstone: Tombstone{sequence, at.time}, subject: t.subjectOf(e.subjects, i), size: at.size(), below: sequence < o.first})
		e.takeMessage(b, t, i, countRemovedMsgs)
		b.deleted.add(sequence, sequence)
	}
	e.afterBurial(b)
}

// entombUnkept writes tombstones for messages that were removed, unless MaxMsgsPer removes them without, or they are below
// a floor and the other limits do.
func (e *Engine) entombUnkept(graves []grave) {
	var needed []Tombstone
	over := false // then so are all that are older
	for _, g := range slices.Backward(graves) {
		over = over || e.wouldBeOver(g)
		if g.below && (over || g.Time <= e.expiryCutoff()) {
			continue
		}
		if e.perEvicts(g) {
			e.per.evicted.add(g.subject)
			continue
		}
		needed = append(needed, g.Tombstone)
	}
	if len(needed) > 0 {
		slices.Reverse(needed)
		e.writeRemovals(0, needed)
	}
}

// wouldBeOver reports whether the stream would have more than MaxMsgs or MaxBytes allow if it had a message that was
// removed from its head.
func (e *Engine) wouldBeOver(g grave) bool {
	l, n := &e.cfg.Limits, &e.numbers
	return l.Discard == DiscardOld && (l.MaxMsgs > 0 && int64(n.counts[countMessages]) >= l.MaxMsgs ||
		l.MaxBytes > 0 && int64(n.counts[countBytes])+int64(g.size) > l.MaxBytes)
}

// expiryCutoff returns the time at and before which MaxAge lets no message stay, the earliest of all without MaxAge, and
// where messages may live for ever.
func (e *Engine) expiryCutoff() int64 {
	if e.maxAge() <= 0 || e.cfg.Limits.MsgTTL != TTLOff {
		return math.MinInt64
	}
	return stamps.Earlier(e.now, e.maxAge())
}

// perEvicts reports whether MaxMsgsPer removes a message of a subject each time that the stream is opened: all that
// the subject has now is newer, and as much as it may have.
func (e *Engine) perEvicts(g grave) bool {
	if !e.perLimited() || g.subject == noSubject {
		return false
	}
	info, ok := e.subjects.Info(g.subject)
	limit := uint64(e.cfg.Limits.MaxMsgsPer)
	return ok && info.Count >= limit && (g.Sequence < info.First || limit == 1 && info.LastExact && g.Sequence < info.Last)
}
