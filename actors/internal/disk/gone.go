package disk

import (
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A block that our own index.db has, and of which there is no file, was removed by somebody else: before Millrace removes a
// block it removes what describes it, durably, and index.db speaks only of what was durable when it was written, at every
// level. So what the block held is lost. It is what is left of a block without an index, where nothing else names it.
//
// That holds as long as nobody has written since: a nats-server removes blocks, too, and if it was killed our file may still be
// there. What it stores or removes is a record at the end of the log.

// noteGone keeps what an index.db of ours says of the blocks that are not there.
func (r *Recovery) noteGone(s *streamstate.OwnState, list []blockio.BlockInfo) {
	if !r.endsAsWritten(s, list) {
		return
	}
	for i := range s.Blocks {
		if b := &s.Blocks[i]; b.Messages > 0 && !hasBlock(list, b.ID) {
			r.evidence.gone = append(r.evidence.gone, *b)
		}
	}
}

// endsAsWritten reports whether nothing was written to the log since an index.db of ours was: it ends where it ended then, or
// before, where the last block is gone, too.
func (r *Recovery) endsAsWritten(s *streamstate.OwnState, list []blockio.BlockInfo) bool {
	if len(s.Blocks) == 0 {
		return false
	}
	was := &s.Blocks[len(s.Blocks)-1]
	if len(list) == 0 || list[len(list)-1].ID != was.ID {
		return len(list) == 0 || list[len(list)-1].ID < was.ID
	}
	sum, err := r.sumAt(was.ID, was.Size)
	return err == nil && sum == s.LastSum && list[len(list)-1].Size == was.Size
}

// judgeGone tells what was in the blocks that are gone. Their messages may have been removed since index.db was written: what
// tombstones and floors name is passed over by the engine, and what limits may have taken from the head of the stream here.
func (r *Recovery) judgeGone(rec *engine.Recovery, list []blockio.BlockInfo) {
	limits := &r.Config.Limits
	first := uint64(0)
	switch {
	case r.evidence.hasEnd:
		first = r.evidence.end.First
	case limits.MaxMsgs > 0 || limits.MaxBytes > 0 || limits.MaxAge > 0 || limits.MaxMsgsPer > 0:
		first = rec.First()
	}
	for i := range r.evidence.gone {
		b := &r.evidence.gone[i]
		if limits.MaxAge > 0 && b.MaxTime < r.Now-int64(limits.MaxAge) {
			continue
		}
		bytes := b.Bytes
		for _, live := range liveOf(b) {
			if live.First = max(live.First, first); live.First <= live.Last {
				r.tellLost(rec, engine.LostRange{SequenceRange: live, Block: r.before(b.ID, list), Bytes: bytes})
				bytes = 0
			}
		}
	}
}

// before returns the number before that of the block which follows one that is gone. It is that of the block itself, unless
// Millrace has removed the blocks between: then what is told is of the last one of these, so that it stands at the next opening
// for as long as the block behind it, see recall.
func (r *Recovery) before(id uint32, list []blockio.BlockInfo) uint32 {
	next := uint32(0)
	follows := func(other uint32) {
		if other > id && (next == 0 || other < next) {
			next = other
		}
	}
	for _, b := range list {
		follows(b.ID)
	}
	for i := range r.evidence.gone {
		follows(r.evidence.gone[i].ID)
	}
	return max(id, max(next, 1)-1)
}

// liveOf returns the sequences of the messages that a block had, nil when what was written of it contradicts itself.
func liveOf(b *streamstate.OwnBlock) (live []engine.SequenceRange) {
	next, messages := b.FirstLive, uint64(0)
	add := func(last uint64) {
		if next <= last {
			live = append(live, engine.SequenceRange{First: next, Last: last})
			messages += last - next + 1
		}
	}
	for _, removed := range b.Removed {
		if removed.First > 0 && removed.Last >= next {
			add(removed.First - 1)
			next = removed.Last + 1
		}
	}
	if add(b.Last); messages != b.Messages {
		return nil
	}
	return live
}
