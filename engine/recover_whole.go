package engine

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// SubjectCapture is what a Capture says of a subject.
type SubjectCapture struct {
	Name    []byte
	Info    SubjectInfo
	Evicted bool // see Capture.Evicted
}

// Restore fills the recovery from what a Capture said, in place of Add for each block. The Subjects of c are not
// looked at: next returns the subjects, count of them, in byte order, or nil if there is none. The names must not change
// before Restore returns, all else of a subject not before the next one. The caller has made sure that the blocks are
// those that c is of, as they were.
//
// It reports false, and the recovery is of no use any more, when c contradicts itself.
func (r *Recovery) Restore(c *Capture, count int, next func() *SubjectCapture) bool {
	e := r.e
	if !c.consistent() {
		return false
	}
	id := uint32(0) // subjects are numbered in their order
	index, ok := subjects.Load(e.cfg.Seed, count, func() ([]byte, *SubjectInfo) {
		s := next()
		if s == nil {
			return nil, nil
		}
		if s.Evicted {
			e.per.evicted.add(id)
		}
		id++
		return s.Name, &s.Info
	})
	if !ok || index.Tree().Messages() > c.Messages {
		return false
	}
	e.subjects = index
	for i := range c.Blocks {
		e.addBlock(r.restored(&c.Blocks[i], c.TTL))
	}
	e.floor = floor{first: c.Floor, block: c.FloorBlock}
	e.counts[countMessages], e.counts[countBytes], e.counts[countLast] = c.Messages, c.Bytes, c.LastSequence
	e.lastTime = c.LastTime
	if n := len(c.Blocks); n > 0 {
		last := &c.Blocks[n-1]
		e.lastID = max(e.lastID, last.ID)
		r.open = last.Size < e.cfg.BlockSize && !last.Compressed
	}
	return true
}

// restored returns a block as it was. mode is what the TTL of messages meant then.
func (r *Recovery) restored(c *BlockCapture, mode TTLMode) *block {
	e := r.e
	b := &block{
		id: c.ID, last: c.Last, lastRecord: c.LastRecord, proves: c.Proves, firstMsg: c.FirstMessage, msgs: c.Messages, bytes: c.Bytes,
		firstLive: c.FirstLive, firstTime: c.FirstTime, timeStale: c.FirstTimeStale, size: c.Size, scannedSize: c.Size, tailFrom: c.Last + 1,
		maxTime: c.MaxTime, times: stamps.Between(c.AgeFrom, c.AgeTo), due: never, around: stamps.None, markCRC: c.MarkCRC,
		thinned: c.Thinned, tombstones: c.Tombstones, compressed: c.Compressed, hasIndex: c.Indexed, sealed: true,
		view: newBlockView(c.ID, e.generation, c.First, nil),
	}
	b.view.lastTime.Store(b.maxTime)
	for _, d := range c.Removed {
		b.deleted.add(d.First, d.Last)
	}
	b.publishDeleted()
	switch {
	case e.ttl == nil || b.msgs == 0:
	case !c.LivesKnown || mode != e.cfg.Limits.MsgTTL:
		b.unseen = 1
	default:
		e.restoreLives(b, c.Ends)
	}
	return b
}

// restoreLives notes the lives of a block's messages.
func (e *Engine) restoreLives(b *block, list []LifeCapture) {
	if len(list) == 0 {
		return
	}
	b.lives = &lives{list: make([]life, 0, len(list))}
	for _, l := range list {
		entry := life{l.Sequence, l.Due}
		if l.ForEver {
			entry.sequence |= lifeForEver
			b.lives.ever++
		}
		if l.Marker {
			entry.sequence |= lifeMarker
		}
		b.lives.add(entry)
		e.awaitEnd(l.Sequence, l.Due)
	}
}

// consistent reports whether a capture is one that an engine could have made.
func (c *Capture) consistent() bool {
	var messages, bytes, last uint64
	id := uint32(0)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		if b.ID <= id || b.First <= last || !b.consistent() {
			return false
		}
		id, last = b.ID, b.Last
		messages, bytes = messages+b.Messages, bytes+b.Bytes
	}
	return messages == c.Messages && bytes == c.Bytes && last == c.LastSequence && last < maxSequence && c.Floor <= last+1 &&
		(c.LastTime != NoTime || messages == 0)
}

func (b *BlockCapture) consistent() bool {
	if b.Size < 0 || b.Last+1 < b.First || b.LastRecord > b.Last || b.Proves > b.Last || b.Last >= maxSequence {
		return false
	}
	next := b.First
	removed := uint64(0) // from the first live message on
	for _, d := range b.Removed {
		if d.First < next || d.Last < d.First || d.Last > b.Last {
			return false
		}
		if b.Messages > 0 && d.Last >= b.FirstLive {
			if d.First <= b.FirstLive {
				return false
			}
			removed += d.Last - d.First + 1
		}
		next = d.Last + 1
	}
	sequence := uint64(0)
	if slices.ContainsFunc(b.Ends, func(l LifeCapture) bool {
		before := sequence
		sequence = l.Sequence
		return l.Sequence <= before || l.Sequence < b.FirstLive || l.Sequence > b.Last
	}) {
		return false
	}
	if b.Messages == 0 {
		return b.Bytes == 0 && len(b.Ends) == 0
	}
	return b.FirstMessage >= b.First && b.FirstMessage <= b.FirstLive && b.FirstLive <= b.Last &&
		b.Last-b.FirstLive+1 == b.Messages+removed && b.Bytes >= b.Messages
}
