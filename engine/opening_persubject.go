package engine

import (
	"math"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// perPass applies MaxMsgsPer while a stream is being opened: it goes through the blocks once, from the newest
// to the oldest, if a subject has more messages than it may have.
type perPass struct {
	begun bool
	left  map[uint32]uint64 // how many more messages each of these subjects may have
	below uint32            // blocks of lower numbers are still to come
}

// applyPerSubject removes what MaxMsgsPer does not let stay. It reports false when a table for that is not in
// memory yet; it has asked for it then.
func (e *Engine) applyPerSubject(o *opening) bool {
	p := &o.per
	if !e.perLimited() {
		return true
	}
	if !p.begun {
		p.begun, p.below, p.left = true, math.MaxUint32, make(map[uint32]uint64)
		everything := subject.Everything()
		e.subjects.Tree().Walk(&everything, func(_ []byte, info subjects.Info) bool {
			if info.Count > uint64(e.cfg.Limits.MaxMsgsPer) {
				p.left[info.ID] = uint64(e.cfg.Limits.MaxMsgsPer)
				e.per.evicted.add(info.ID)
			}
			return true
		})
	}
	for i := len(e.blocks) - 1; i >= 0 && len(p.left) > 0; i-- {
		b := e.blocks[i]
		switch {
		case b.msgs == 0 || b.id >= p.below:
			continue
		case b.scanned == nil:
			e.request(b)
			return false
		}
		e.thin(b, p.left)
		if p.below = b.id; !e.nearHead(b) {
			b.scanned = nil
		}
	}
	if e.last() > 0 {
		e.refreshFirst()
	}
	return true
}

// thin removes from a block, whose table is in memory, the messages of subjects that may have none left.
func (e *Engine) thin(b *block, left map[uint32]uint64) {
	t := b.scanned
	for i := t.n - 1; i >= 0 && b.msgs > 0; i-- {
		sequence := t.Sequence(i)
		if !b.live(sequence) {
			continue
		}
		id := t.subjectOf(e.subjects, i)
		switch n, limited := left[id]; {
		case !limited:
		case n > 0:
			left[id] = n - 1
		default:
			e.removeAt(b, t, i, countRemovedPer)
		}
	}
}
