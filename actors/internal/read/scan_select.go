package read

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// This file has the iterations that do not take every message as it comes: with
// filters, and in descending order. They ask the tables of the blocks.

// yieldEvery is after how many messages an iteration lets others run. A processor that
// many of them keep busy must get round to the store actor.
const yieldEvery = 64

// farToGo reports whether the iteration has several blocks to go.
func (sc *Scan) farToGo(view *engine.View) bool {
	here := view.Index(sc.next)
	if sc.Reverse {
		return here > 1
	}
	return view.Index(sc.last)-here > 1
}

// narrow brings the iteration to where the matches are, as the index of subjects knows
// it. It reports whether there are any.
func (sc *Scan) narrow() bool {
	l := Lookup{Source: sc.Source, ctx: sc.ctx, set: sc.Set, now: sc.Published.Snapshot()}
	low, high := l.reach(0)
	if low > high {
		return false
	}
	if sc.Reverse {
		// What was stored after the iteration began is none of its business.
		sc.next = min(sc.next, high)
		return true
	}
	sc.next = max(sc.next, low)
	if !sc.Follow {
		sc.last = min(sc.last, high)
	}
	return true
}

// seekTime begins at a time. It reports whether to go on.
func (sc *Scan) seekTime() bool {
	sc.HasSince = false
	var first uint64
	err := sc.Ask(sc.ctx, subject.Everything(), func(l *Lookup) (err error) {
		first = l.now.LastSequence + 1
		if wanted, ok := ClampTime(sc.Since); ok {
			first, err = l.AtTime(wanted)
		}
		return err
	})
	if err != nil {
		sc.emit(nil, err)
		return false
	}
	if sc.Reverse {
		sc.lowest = first
		return true
	}
	sc.next = max(sc.next, first)
	if wanted, ok := ClampTime(sc.Since); sc.Follow && first > sc.last {
		// None yet, and what is stored next need not be late enough.
		if sc.early = wanted; !ok {
			sc.early = math.MaxInt64
		}
	}
	return true
}

// tooEarly reports whether the current record comes before the first one that is wanted.
func (sc *Scan) tooEarly() bool {
	if sc.record.Time < sc.early {
		return true
	}
	sc.early = math.MinInt64
	return false
}

// selected gives the messages of a block that are selected, and goes on to the next
// block.
func (sc *Scan) selected(b *engine.BlockView) (more, end bool) {
	sc.pace.letRun(sc.Source)
	now := sc.Published.Snapshot()
	if now.View.Find(sc.next) != b {
		return true, false // it has gone, or another engine has taken over
	}
	from, to := max(sc.next, b.First), min(sc.last, now.LastSequence)
	if after := now.View.Next(b); after != nil {
		to = min(to, after.First-1)
	}
	if sc.Reverse {
		from, to = max(b.First, now.FirstSequence, sc.lowest), min(to, sc.next)
	}
	more = true
	if from <= to {
		err := sc.partsOf(b, from, to, now.Subjects, sc.Reverse, func(p *part) error {
			return sc.part(p, from, to)
		})
		switch {
		case err == errStopVisit:
			return false, false
		case err != nil && errors.Is(err, fs.ErrNotExist):
			if more = sc.fileError(b, err); !more {
				return false, false
			}
		case err != nil && worthAnotherTry(err) && sc.attempts < mostAttempts:
			sc.attempts++
			return true, false // it goes on where it was
		case err != nil:
			sc.emit(nil, err)
			return false, false
		}
	}
	sc.attempts = 0
	if sc.Reverse {
		sc.next = b.First - 1
		return true, sc.next < max(sc.lowest, 1)
	}
	sc.next = max(sc.next, to+1)
	return true, sc.next > sc.last
}

// part gives the selected messages of a part of a block.
func (sc *Scan) part(p *part, from, to uint64) error {
	low, high := 0, 0
	var holes []engine.SequenceRange
	err := p.guard(func() (err error) {
		if low, high, err = p.bounds(from, to); err == nil {
			sc.members, err = p.members(&sc.Set, low, high, sc.members)
		}
		if err == nil {
			holes, err = p.holes(from, min(to, p.to))
		}
		return err
	})
	if err != nil {
		return err
	}
	if sc.Reverse {
		slices.Reverse(holes)
	}
	if sc.buffer == nil {
		sc.pooled = scanBuffers.Get().(*[]byte)
		sc.buffer = *sc.pooled
	}
	i := sc.members.next(low)
	if sc.Reverse {
		i = sc.members.prev(high - 1)
	}
	for i >= 0 {
		if holes, err = sc.tellHoles(p, i, holes); err != nil {
			return err
		}
		if err := sc.one(p, i); err != nil {
			return err
		}
		if sc.Reverse {
			i = sc.members.prev(i - 1)
		} else {
			i = sc.members.next(i + 1)
		}
	}
	_, err = sc.tellHoles(p, -1, holes)
	return err
}

// tellHoles gives the errors of damaged stretches that come before record i, or of all
// if i is -1. It returns those that are left.
func (sc *Scan) tellHoles(p *part, i int, holes []engine.SequenceRange) ([]engine.SequenceRange, error) {
	var here uint64
	if len(holes) > 0 && i >= 0 {
		if err := p.guard(func() (err error) { here, err = p.table.sequence(i); return err }); err != nil {
			return nil, err
		}
	}
	for len(holes) > 0 && (i < 0 || sc.Reverse == (holes[0].First > here)) {
		hole := holes[0]
		holes = holes[1:]
		if hole.Last < sc.Published.First() {
			continue
		}
		if sc.Reverse {
			sc.moveBehind(hole.First)
		} else {
			sc.moveBehind(hole.Last)
		}
		if !sc.damaged(p.holeError(hole.First)) {
			return nil, errStopVisit
		}
	}
	return holes, nil
}

// one gives the message of one record.
func (sc *Scan) one(p *part, i int) error {
	if sc.given++; sc.given%yieldEvery == 0 {
		sc.pace.letRun(sc.Source)
	}
	var sequence uint64
	var offset int64
	err := p.guard(func() (err error) {
		if sequence, err = p.table.sequence(i); err != nil {
			return err
		}
		var bytes []byte
		if bytes, offset, err = p.table.bytes(i, &sc.buffer); err != nil {
			return err
		}
		if p.reader != nil && p.reader.mapping != nil {
			// What the caller looks at must not be in a mapping, which may fault.
			sc.buffer = append(sc.buffer[:0], bytes...)
			bytes = sc.buffer
		}
		return blockio.Parse(bytes, &sc.record)
	})
	switch {
	case err == nil && (sc.record.Kind != blockio.KindMessage || sc.record.Sequence != sequence || !sc.Set.Match(sc.record.Subject)):
		err = sc.corrupt(p.block, offset, sequence, "record is another one", ErrCorrupt)
	case err != nil && errors.Is(err, blockio.ErrCorrupt) && !unusable(err):
		err = sc.corrupt(p.block, offset, sequence, "record is damaged", err)
	case err != nil:
		return err
	}
	switch {
	case sequence < sc.Published.First() || p.block.Removed(sequence):
		sc.moveBehind(sequence)
		return nil
	case err != nil:
		sc.moveBehind(sequence)
		if !sc.damaged(err) {
			return errStopVisit
		}
		return nil
	}
	if sc.tooEarly() {
		sc.moveBehind(sequence)
		return nil
	}
	return sc.handOut(sequence)
}

// handOut gives the current record.
func (sc *Scan) handOut(sequence uint64) error {
	select {
	case <-sc.ended:
		sc.emit(nil, context.Cause(sc.ctx))
		return errStopVisit
	default:
	}
	sc.moveBehind(sequence)
	if !sc.emit(&sc.record, nil) {
		return errStopVisit
	}
	return nil
}

// moveBehind goes on behind a sequence.
func (sc *Scan) moveBehind(sequence uint64) {
	if sc.Reverse {
		sc.next = sequence - 1
	} else {
		sc.next = sequence + 1
	}
}
