package read

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"sync"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Lookup answers one question of a stream as of one instant, on the caller's
// goroutine, beside the store actor and without it.
type Lookup struct {
	*Source
	ctx  context.Context
	set  subject.Set
	now  engine.Snapshot // what the question is asked of
	tree subjects.Tree   // its subjects, see subjects
	// stop reports whether nobody waits for the answer any more, and gone is then true.
	stop func() bool
	gone bool
	// Memory that is used again.
	members bitset
	part    part
}

var lookups = sync.Pool{New: func() any {
	l := new(Lookup)
	l.stop = func() bool {
		l.gone = l.gone || l.ctx.Err() != nil
		return l.gone
	}
	return l
}}

// putBack makes the memory of a question that was answered that of another one.
func (l *Lookup) putBack() {
	*l = Lookup{members: l.members, stop: l.stop}
	lookups.Put(l)
}

// Ask takes a snapshot and answers a question from it. The files of a snapshot may go while they are
// read, and messages in them may be erased; then it takes another one and asks again. answer must begin anew each time, and not keep the Lookup.
func (s *Source) Ask(ctx context.Context, set subject.Set, answer func(*Lookup) error) error {
	l := lookups.Get().(*Lookup)
	defer l.putBack()
	l.Source, l.ctx, l.set = s, ctx, set
	missing := 0
	for attempt := 0; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if s.Stopped.Load() {
			return ErrStopped
		}
		retired := s.blocks.Retired()
		l.now = s.Published.Snapshot()
		err := answer(l)
		if l.gone {
			return context.Cause(ctx)
		}
		if retired != s.blocks.Retired() && attempt < mostAttempts {
			continue // a message of the snapshot may have been erased
		}
		if again, failure := s.afterCut(ctx, err); again || failure != nil {
			if failure != nil {
				return failure
			}
			continue
		}
		switch {
		case err == nil || !worthAnotherTry(err):
			return err
		case unusable(err) && attempt >= mostAttempts:
			return fmt.Errorf("%w: an index cannot be made: %w", ErrCorrupt, err)
		case !errors.Is(err, fs.ErrNotExist):
		case s.Published.First() == l.now.FirstSequence && s.Published.View() == l.now.View:
			// Nothing was removed since, and yet a file is missing. The snapshot may have been taken in
			// the middle of a removal, so the question is asked again; after that it is damage.
			if missing++; missing > 3 {
				return fmt.Errorf("%w: a block file is missing: %w", ErrCorrupt, err)
			}
		}
		runtime.Gosched()
	}
}

// subjects returns the subjects as of the instant of the question. They end early when nobody waits for the answer
// any more; Ask then returns an error, whatever the answer.
func (l *Lookup) subjects() *subjects.Tree {
	l.tree = l.now.Subjects.Until(l.stop)
	return &l.tree
}

// First returns the first sequence of the stream, as of the instant of the question.
func (l *Lookup) First() uint64 { return l.now.FirstSequence }

// Last returns the last sequence of the stream, as of the instant of the question.
func (l *Lookup) Last() uint64 { return l.now.LastSequence }

// block returns the index of the first block that may have sequences from one on.
func (l *Lookup) block(sequence uint64) int { return l.now.View.Index(sequence) }

// span returns the last sequence that block i accounts for.
func (l *Lookup) span(i int) uint64 {
	if blocks := l.now.View.Blocks(); i+1 < len(blocks) {
		return min(blocks[i+1].First-1, l.now.LastSequence)
	}
	return l.now.LastSequence
}

// forward calls visit for the parts of all blocks that have records of sequences
// from..to, in order.
func (l *Lookup) forward(from, to uint64, visit func(p *part, low, high int) error) error {
	from, to = max(from, l.now.FirstSequence), min(to, l.now.LastSequence)
	blocks := l.now.View.Blocks()
	for i := l.block(from); i < len(blocks) && from <= to && blocks[i].First <= to; i++ {
		if err := l.parts(i, from, to, false, visit); err != nil {
			return unlessStopped(err)
		}
	}
	return nil
}

// backward is forward in descending order.
func (l *Lookup) backward(from, to uint64, visit func(p *part, low, high int) error) error {
	from, to = max(from, l.now.FirstSequence), min(to, l.now.LastSequence)
	blocks := l.now.View.Blocks()
	for i := min(l.block(to), len(blocks)-1); i >= 0 && from <= to && l.span(i) >= from; i-- {
		if err := l.parts(i, from, to, true, visit); err != nil {
			return unlessStopped(err)
		}
	}
	return nil
}

func (l *Lookup) parts(i int, from, to uint64, reverse bool, visit func(p *part, low, high int) error) error {
	b := l.now.View.Blocks()[i]
	from, to = max(from, b.First), min(to, l.span(i))
	if from > to || b.DeletedWithin(from, to) == to-from+1 {
		return nil
	}
	if err := l.ctx.Err(); err != nil {
		return context.Cause(l.ctx)
	}
	return l.partsOf(&l.part, l.now.View, b, from, to, l.now.Subjects, reverse, func(p *part) error {
		return p.guard(func() error {
			low, high, err := p.bounds(from, to)
			if err != nil || low == high && (p.reader == nil || p.reader.complete.Load()) {
				return err
			}
			return visit(p, low, high)
		})
	})
}

// probes is how many records are looked at before the subject index is asked where
// a match can be.
const probes = 64

// Next finds the first live message at or after a sequence that the set selects. Damage before it that may
// have been a match is an error.
func (l *Lookup) Next(from uint64) (sequence uint64, ok bool, err error) {
	sequence, ok, err = l.nextLive(from)
	if err != nil {
		return 0, false, err
	}
	to := l.now.LastSequence
	if ok {
		to = sequence - 1
	}
	for _, lost := range l.Published.LostWithin(max(from, l.Published.Floor()), to) {
		if l.maySelect(lost) {
			return 0, false, l.lostError(lost)
		}
	}
	return sequence, ok, nil
}

// maySelect reports whether the set may select lost messages.
func (l *Lookup) maySelect(lost engine.LostRange) bool {
	b := l.now.View.Find(lost.First)
	if l.set.All() || b == nil {
		return true
	}
	r, err := l.acquire(b, lost.Last)
	if err != nil {
		return true // nobody knows
	}
	defer r.block.Release()
	return r.maySelect(lost, &l.set)
}

// nextLive is Next without what is known to be lost.
func (l *Lookup) nextLive(from uint64) (sequence uint64, ok bool, err error) {
	from = max(from, l.now.FirstSequence)
	if l.set.None() || from > l.now.LastSequence || l.now.Messages == 0 {
		return 0, false, nil
	}
	to := l.now.LastSequence
	if !l.set.All() {
		near := min(to, from+probes)
		if sequence, ok, err = l.firstWithin(from, near); ok || err != nil {
			return sequence, ok, err
		}
		low, high := l.reach(from)
		from, to = max(near+1, low), min(to, high)
	}
	return l.firstWithin(from, to)
}

func (l *Lookup) firstWithin(from, to uint64) (sequence uint64, ok bool, err error) {
	err = l.forward(from, to, func(p *part, low, high int) error {
		i, err := p.next(&l.set, low, high)
		if err != nil {
			return err
		}
		end := to
		if i < high {
			if sequence, err = p.table.sequence(i); err != nil {
				return err
			}
			ok, end = true, sequence-1
		}
		// What cannot be read might match: to pass over it might lose it.
		if holes, err := p.holes(max(from, p.from), end); err != nil {
			return err
		} else if len(holes) > 0 {
			return l.errorOf(p.block, &holes[0])
		}
		if ok {
			return errStopVisit
		}
		return nil
	})
	return sequence, ok, err
}

// Prev finds the last live message at or before a sequence that the set selects. Damage behind it that may
// have been a match is an error.
func (l *Lookup) Prev(to uint64) (sequence uint64, ok bool, err error) {
	sequence, ok, err = l.prevLive(to)
	if err != nil {
		return 0, false, err
	}
	from := l.Published.Floor()
	if ok {
		from = sequence + 1
	}
	all := l.Published.LostWithin(from, min(to, l.now.LastSequence))
	for i := len(all) - 1; i >= 0; i-- {
		if l.maySelect(all[i]) {
			return 0, false, l.lostError(all[i])
		}
	}
	return sequence, ok, nil
}

// prevLive is Prev without what is known to be lost.
func (l *Lookup) prevLive(to uint64) (sequence uint64, ok bool, err error) {
	to = min(to, l.now.LastSequence)
	if l.set.None() || to < l.now.FirstSequence || l.now.Messages == 0 {
		return 0, false, nil
	}
	from := l.now.FirstSequence
	if !l.set.All() {
		near := max(from, to-min(to, probes))
		if sequence, ok, err = l.lastWithin(near, to); ok || err != nil {
			return sequence, ok, err
		}
		low, high := l.reach(0)
		from, to = max(from, low), min(near-1, high)
	}
	return l.lastWithin(from, to)
}

func (l *Lookup) lastWithin(from, to uint64) (sequence uint64, ok bool, err error) {
	err = l.backward(from, to, func(p *part, low, high int) error {
		i, err := p.prev(&l.set, low, high)
		if err != nil {
			return err
		}
		end := from
		if i >= low {
			if sequence, err = p.table.sequence(i); err != nil {
				return err
			}
			ok, end = true, sequence+1
		}
		if holes, err := p.holes(max(end, p.from), min(to, p.to)); err != nil {
			return err
		} else if n := len(holes); n > 0 {
			return l.errorOf(p.block, &holes[n-1])
		}
		if ok {
			return errStopVisit
		}
		return nil
	})
	return sequence, ok, err
}

// reach returns between which sequences the matches at or after one lie, from the
// subject index alone. Nothing may be there.
func (l *Lookup) reach(from uint64) (low, high uint64) {
	low = math.MaxUint64
	l.subjects().Walk(&l.set, func(_ []byte, info subjects.Info) bool {
		if info.Last >= from || !info.LastExact {
			low = min(low, max(info.First, from))
			high = max(high, info.Last)
		}
		return low > from || high < l.now.LastSequence // else there is no more to learn
	})
	if low > high {
		return 1, 0
	}
	return low, high
}
