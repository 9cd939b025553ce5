package engine

import "fmt"

// Truncate removes all messages above a sequence, which becomes the last one, so that the sequences behind it
// are used again. The reply counts the removed messages.
//
// With 0 the stream is as if it were new. Below the first sequence it is left empty, and its next message gets
// the one behind. Above the last one it is refused with ErrBeyondLast.
//
// It waits until all that was accepted before it is durable, and no other work is out. The files are cut then,
// and another engine is recovered from them, which takes over: so nothing that an engine keeps by sequence
// outlives the messages, but for the ids of those that are left, also where they were removed. See Truncation and
// HandOver.
type Truncate struct{ Sequence uint64 }

// Size implements Command.
func (*Truncate) Size() (pieces, bytes int) { return 1, 0 }

func (c *Truncate) clone() Command { own := *c; return &own }

func (*Truncate) subjectAhead() string { return "" }

func (c *Truncate) apply(e *Engine, tag any) bool {
	last := e.last()
	e.truncating = nil
	switch {
	case c.Sequence > last:
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: fmt.Errorf("%w: %d, the last is %d", ErrBeyondLast, c.Sequence, last)})
		return true
	case c.Sequence == last:
		e.noteInOrder(Notice{Reason: NoticeTruncated})
		e.replyInOrder(Reply{Tag: tag, Sequence: last})
		return true
	}
	switch quiet, err := e.quiet(); {
	case err != nil:
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: err})
	case !quiet:
		e.truncating = &truncating{} // no other index is begun
		return false
	default:
		e.truncate(tag, c.Sequence)
	}
	return true
}

// truncating is a truncation that waits for the engine to be quiet, or is out.
type truncating struct {
	out   bool
	reply Reply
	work  WorkID
}

// Truncation is what WorkTruncate does. The shell first writes down, durably, what is to become of the files,
// then carries that out, and recovers another engine from them, which is handed over to; or, when nothing was
// written down, it calls LeaveTruncation. If that was written down and something fails later, the engine fails:
// recovery carries it out again.
type Truncation struct {
	// Last is the last sequence that is left, 0 for none.
	Last uint64
	// Cut is the block that has messages up to Last, and perhaps some above: what is in it from the first of
	// those on is cut off. It is 0 when all blocks go.
	Cut uint32
	// Remove are the blocks that go as a whole, ascending.
	Remove []uint32
	// Graves are those of them that may have tombstones of messages in the blocks that stay, ascending.
	Graves []uint32
	// Known are blocks that stay as they are, with the scans that their indexes would give.
	Known []KnownBlock
	// Into is the number of a new block, for records that remove messages up to Last, and were in what goes,
	// and others that are needed now. It is also made when there are none, empty, unless Last is 0: no number of
	// a block is used twice.
	Into uint32
	// Floor is what a floor is to be written for that says which messages limits have removed, 0 for none.
	Floor uint64
	// Bury asks for a tombstone of each message up to Last that a file holds and that is not live: the limit
	// that has removed it would count fewer messages of its subject from now on.
	Bury bool
}

// quiet reports whether nothing is staged or in flight, all is durable, and no work is out. It sees to it that
// this comes to be so.
func (e *Engine) quiet() (bool, error) {
	d := &e.durability
	if len(d.evicted) > 0 && e.steady < d.removeAt {
		return false, fmt.Errorf("%w: a block that was emptied cannot be removed", ErrUnreadable)
	}
	if e.current.staged() || d.durable.group != d.written.group && len(d.unsealed) == 0 {
		e.current.force = true
	}
	return e.inflight == nil && e.change.step == changeNothing && !e.current.staged() && !e.current.force && d.durable.group == d.written.group &&
		len(e.pending) == 0 && len(d.erasures) == 0 && len(d.evicted) == 0 && !d.removing && e.indexing.out == nil, nil
}

// truncate hands out the work of a truncation. Until it is done nothing changes.
func (e *Engine) truncate(tag any, last uint64) {
	t := &Truncation{Last: last, Into: e.lastID + 1, Bury: e.perLimited()}
	first := e.counts[countFirst]
	if e.counts[countMessages] > 0 && first <= last {
		for _, b := range e.blocks {
			switch {
			case t.Cut == 0 && b.last >= last:
				t.Cut = b.id
			case t.Cut > 0:
				t.Remove = append(t.Remove, b.id)
				if b.tombstones {
					t.Graves = append(t.Graves, b.id)
				}
			default:
				if s := e.known(b); s != nil {
					t.Known = append(t.Known, KnownBlock{b.id, b.size, s})
				}
			}
		}
		if e.cfg.Limits.evicts() && first > 1 || e.floor.first > 0 {
			t.Floor = first
		}
	} else {
		for _, b := range e.blocks {
			t.Remove = append(t.Remove, b.id)
		}
	}
	id := e.schedule(WorkTruncate, t.Cut, 0)
	e.work[len(e.work)-1].Truncation = t
	e.pending[id] = e.work[len(e.work)-1]
	e.truncating = &truncating{out: true, reply: Reply{Tag: tag, Sequence: last, Count: e.liveAbove(last)}, work: id}
	e.stopped, e.fenced = true, true
	e.publishAtOnce() // what is durable: a flush may be answered that has waited for that, and nothing is published now
}

// liveAbove counts the live messages above a sequence.
func (e *Engine) liveAbove(sequence uint64) (n int) {
	for _, b := range e.blocks {
		if b.msgs == 0 || b.last <= sequence {
			continue
		}
		n += int(b.msgs)
		if b.firstLive <= sequence {
			for _, r := range b.liveWithin(b.firstLive, sequence) {
				n -= int(r.Last - r.First + 1)
			}
		}
	}
	return n
}

// held reports whether a truncation is out: the engine changes nothing.
func (e *Engine) held() bool { return e.truncating != nil && e.truncating.out }

// LeaveTruncation goes on as if a truncation had not been asked for, since its files cannot be read: nothing
// was changed.
func (e *Engine) LeaveTruncation(err error) {
	t := e.truncating
	if e.failed != nil || !e.held() {
		return
	}
	delete(e.pending, t.work)
	e.truncating, e.stopped, e.fenced = nil, false, false
	t.reply.Count, t.reply.Err = 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	e.reply(t.reply)
	e.goOn()
}

// HandOver makes another engine, recovered from the files that a truncation has left, take over: it answers
// the truncation, and carries out the commands that have come since. This one is of no use any more.
func (e *Engine) HandOver(next *Engine) {
	t := e.truncating
	if e.failed != nil || !e.held() {
		return
	}
	if next.ids.on() && e.ids.on() {
		e.forgetIDsAbove(t.reply.Sequence)
		next.ids = e.ids
		next.ids.advance(next.now)
	}
	next.counts[countRemovedRequest] += uint64(t.reply.Count)
	next.counts[countFreedBytes] += e.counts[countBytes] - min(next.counts[countBytes], e.counts[countBytes])
	next.fillNumbers()
	next.pub.publish(&next.numbers) // nothing else is staged
	if x := &next.notices; e.notices.takers > 0 {
		x.takers += e.notices.takers
		next.noteInOrder(Notice{
			Reason: NoticeTruncated, Messages: int64(next.counts[countMessages]) - x.before.messages,
			Bytes: int64(next.counts[countBytes]) - x.before.bytes,
		})
	}
	next.replyInOrder(t.reply)
	next.parked = append(next.parked, e.parked...)
	e.truncating, e.parked = nil, nil
	e.Abort()
	next.goOn()
}
