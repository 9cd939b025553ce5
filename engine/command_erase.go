package engine

import (
	"errors"
	"fmt"
	"slices"
)

// Erase removes one message, and overwrites its record in the file. The reply counts 1 if there was a live
// message, and comes when all of it is on stable storage, at every sync level. The record of a message that was
// removed before is overwritten, too, if a file still has it; then the reply counts 0.
//
// First the tombstone is durable; a message of the tail begins a new block with it. Then WorkErase comes, and
// until it is done the file of the block stays, whatever becomes of the block.
type Erase struct{ Sequence uint64 }

// Size implements Command.
func (*Erase) Size() (pieces, bytes int) { return 1, 0 }

func (c *Erase) clone() Command { own := *c; return &own }

func (*Erase) subjectAhead() string { return "" }

func (c *Erase) apply(e *Engine, tag any) bool {
	b := e.holder(c.Sequence)
	if b == nil {
		return e.eraseWithFile(c, tag)
	}
	if e.compacting.has(b) {
		return false // the record is about to be elsewhere
	}
	switch available, unreadable := e.needTable(b, c.Sequence); {
	case unreadable:
		e.replyInOrder(Reply{Tag: tag, Sequence: c.Sequence, Err: fmt.Errorf("%w: message %d", ErrUnreadable, c.Sequence)})
		return true
	case !available:
		return false
	}
	t, i, ok := b.record(c.Sequence)
	switch {
	case !ok && b.live(c.Sequence):
		return (&Remove{c.Sequence}).apply(e, tag)
	case !ok: // the block has taken over the sequence from one that went
		return e.eraseWithFile(c, tag)
	}
	graves := []Tombstone{{c.Sequence, t.slot(i).time}}
	live := b.live(c.Sequence)
	if live {
		if settled, err := e.perSettled(); !settled {
			return e.refuseUnreadable(tag, err)
		}
		evicted, ready, err := e.evictedOf(t.subjectOf(e.subjects, i), c.Sequence)
		if !ready {
			return e.refuseUnreadable(tag, err)
		}
		graves = append(evicted, graves...)
	}
	// Also where the message is gone: at the head of the stream a limit has removed it, which counts it no more.
	e.protectHead()
	r := Reply{Tag: tag, Sequence: c.Sequence}
	work := erasure{block: b, offset: int64(t.offset(i)), size: t.slot(i).size()}
	if b == e.tail {
		e.roll()
	}
	if live {
		e.removeAt(b, t, i, countRemovedRequest)
		r.Count = 1
	}
	e.writeRemovals(0, graves)
	e.removed()
	work.reply = r
	e.current.force = true
	e.current.erasures = append(e.current.erasures, work)
	return true
}

// eraseWithFile carries out an erasure of a message of which no block has a record. The file of a block that went
// as a whole may have it until it is removed: the reply comes after that.
func (e *Engine) eraseWithFile(c *Erase, tag any) bool {
	files := e.evictedFiles()
	if len(files) == 0 || c.Sequence > e.last() {
		return (&Remove{c.Sequence}).apply(e, tag)
	}
	going := going{files, Reply{Tag: tag, Sequence: c.Sequence, Err: (&Remove{c.Sequence}).absent(e)}}
	if e.steady < e.durability.removeAt {
		e.replyInOrder(going.failed(errNotRemoved))
		return true
	}
	e.durability.going = append(e.durability.going, going)
	return true
}

// errNotRemoved: the last attempt to remove a file has failed, and the next one does not come yet.
var errNotRemoved = errors.New("it cannot be removed at the moment")

// going is the reply to an erasure that comes when some files are gone.
type going struct {
	files []uint32
	reply Reply
}

// failed returns the reply when a file cannot be removed.
func (g *going) failed(err error) Reply {
	return Reply{Tag: g.reply.Tag, Sequence: g.reply.Sequence, Err: fmt.Errorf(
		"%w: message %d was removed, and a file that may have its bytes is to go and is still there: %w", ErrUnreadable, g.reply.Sequence, err)}
}

// settleGoing answers the erasures whose files are gone.
func (d *durability) settleGoing(e *Engine) {
	if len(d.going) == 0 {
		return
	}
	left := e.evictedFiles()
	d.going = slices.DeleteFunc(d.going, func(g going) bool {
		gone := !slices.ContainsFunc(g.files, func(id uint32) bool { return slices.Contains(left, id) })
		if gone {
			e.reply(g.reply)
		}
		return gone
	})
}

// holder returns the block whose file may have the message of a sequence, live or removed, or nil.
func (e *Engine) holder(sequence uint64) *block {
	i, _ := slices.BinarySearchFunc(e.blocks, sequence, func(b *block, sequence uint64) int {
		if b.last < sequence {
			return -1
		}
		return 1
	})
	if i < len(e.blocks) && e.blocks[i].firstMsg > 0 && e.blocks[i].firstMsg <= sequence {
		return e.blocks[i]
	}
	return nil
}

// erasure is a record that is to be overwritten once a group is durable.
type erasure struct {
	block  *block
	offset int64
	size   uint32
	group  uint64
	reply  Reply
	work   WorkID // that overwrites it, 0 before that
}

// erasing reports whether a record of a block is still to be overwritten.
func (d *durability) erasing(id uint32) bool {
	return slices.ContainsFunc(d.erasures, func(x erasure) bool { return x.block.id == id })
}

// eraseNext asks for the next record to be overwritten, unless one is: when the group with its tombstone is
// durable, the block is sealed and not in memory any more, and nobody writes its index, which would have it.
func (d *durability) eraseNext(e *Engine) {
	if len(d.erasures) == 0 || d.erasures[0].work != 0 || d.erasures[0].group > d.durable.group {
		return
	}
	x := &d.erasures[0]
	unsealed := slices.ContainsFunc(d.unsealed, func(u unsealed) bool { return u.block == x.block })
	if e.indexing.out == x.block || unsealed {
		return
	}
	e.indexing.letGo(e, x.block)
	x.work = e.schedule(WorkErase, x.block.id, x.offset)
	w := &e.work[len(e.work)-1]
	w.Sequence, w.Length = x.reply.Sequence, int(x.size)
	e.pending[x.work] = *w
}

// erased takes the completion of a WorkErase.
func (d *durability) erased(e *Engine) {
	x := d.erasures[0]
	d.erasures = d.erasures[1:]
	e.reply(x.reply)
	if e.indexOf(x.block) >= 0 {
		e.Reindex(x.block.id)
	}
}
