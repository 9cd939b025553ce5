package read

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// batchSize is how many records a scan looks up at a time.
const batchSize = 64

// batch is the next records that a scan reads: their ordinals, and what the table says of them.
type batch struct {
	ordinals [batchSize]int
	entries  [batchSize]blockindex.Record
	n        int
	dense    bool // see measure
}

// part hands out the selected messages of a part of a block, and its damage.
func (sc *Scan) part(p *part, from, to uint64) error {
	low, high := 0, 0
	var damage []stretch
	err := p.guard(func() (err error) {
		if low, high, err = p.bounds(from, to); err == nil {
			err = sc.choose(p, low, high)
		}
		if err == nil {
			damage, err = p.damaged(from, to, low, high, &sc.Set)
		}
		return err
	})
	if err != nil {
		return err
	}
	sc.window.reset(p)
	i := sc.firstMember(low, high)
	for i >= 0 {
		i = sc.gather(i)
		if err := p.guard(func() error { return sc.lookUp(p) }); err != nil {
			return err
		}
		for at := range sc.batch.n {
			if damage, err = sc.tellBefore(p, damage, sc.batch.ordinals[at]); err != nil {
				return err
			}
			if err := sc.one(p, at, damage); err != nil {
				return err
			}
		}
	}
	_, err = sc.tellBefore(p, damage, -1)
	return err
}

// choose decides which of the records low..high-1 the scan reads: all of them, if nothing is filtered and
// nothing is removed, or the members.
func (sc *Scan) choose(p *part, low, high int) (err error) {
	sc.all = false
	if sc.Set.All() {
		live, err := p.live(low, high)
		if err != nil {
			return err
		}
		if sc.all = live == uint64(high-low); sc.all {
			if p.reader != nil && p.reader.file != nil && 2*(high-low) > p.table.length() {
				p.reader.file.Populate()
			}
			return nil
		}
	}
	sc.members, err = p.members(&sc.Set, low, high, sc.members)
	return err
}

// firstMember returns the first of the records low..high-1 that the scan reads, downwards the last, or -1.
func (sc *Scan) firstMember(low, high int) int {
	sc.low, sc.high = low, high
	if low >= high {
		return -1
	}
	if sc.Reverse {
		return sc.memberAfter(high)
	}
	return sc.memberAfter(low - 1)
}

// memberAfter returns the record that the scan reads after record i, or -1.
func (sc *Scan) memberAfter(i int) int {
	switch {
	case !sc.all && sc.Reverse:
		return sc.members.prev(i - 1)
	case !sc.all:
		return sc.members.next(i + 1)
	case sc.Reverse:
		if i--; i < sc.low {
			return -1
		}
	default:
		if i++; i >= sc.high {
			return -1
		}
	}
	return i
}

// gather puts the records that the scan reads next, from i on, into the batch. It returns the one after
// them, or -1.
func (sc *Scan) gather(i int) int {
	b := &sc.batch
	for b.n = 0; i >= 0 && b.n < batchSize; b.n++ {
		b.ordinals[b.n] = i
		i = sc.memberAfter(i)
	}
	return i
}

// lookUp asks the table what it says of the records in the batch.
func (sc *Scan) lookUp(p *part) error {
	b := &sc.batch
	if err := p.table.entries(b.ordinals[:b.n], b.entries[:], sc.window.pass); err != nil {
		return err
	}
	b.measure(sc.Reverse)
	return nil
}

// tellBefore hands out the damage that comes before record i, or all that is left if i is -1. It returns
// the rest.
func (sc *Scan) tellBefore(p *part, damage []stretch, i int) ([]stretch, error) {
	for len(damage) > 0 {
		next := &damage[0]
		if sc.Reverse {
			next = &damage[len(damage)-1]
		}
		if i >= 0 && sc.Reverse == (next.before <= i) {
			break
		}
		if sc.Reverse {
			damage = damage[:len(damage)-1]
		} else {
			damage = damage[1:]
		}
		if next.last != 0 && next.last < sc.Published.Floor() {
			continue // its block was removed meanwhile
		}
		switch {
		case next.first == 0:
		case sc.Reverse:
			sc.moveBehind(next.first)
		default:
			sc.moveBehind(next.last)
		}
		if err := sc.tellUnread(); err != nil {
			return nil, err
		}
		sc.told = engine.SequenceRange{First: next.first, Last: next.last}
		if err := sc.tell(sc.errorOf(p.block, next)); err != nil {
			return nil, err
		}
	}
	return damage, nil
}

// tell hands out an error of the block, after which the scan goes on. A store that has stopped meanwhile
// has no blocks any more to judge by.
func (sc *Scan) tell(err error) error {
	if sc.Stopped.Load() {
		sc.emit(nil, ErrStopped)
		return errStopVisit
	}
	if !sc.PassDamage && !sc.emit(nil, err) {
		return errStopVisit
	}
	return nil
}

// one hands out the message of one record of the batch, if it is still there and wanted. damage is what is
// still to be told of the part.
func (sc *Scan) one(p *part, at int, damage []stretch) error {
	var sequence uint64
	damaged := error(nil)
	if entry := &sc.batch.entries[at]; p.reader != nil && sc.unreadable.covers(entry.Offset, entry.Size) {
		if err := p.guard(func() (err error) { sequence, err = p.table.sequence(sc.batch.ordinals[at]); return err }); err != nil {
			return err
		}
		damaged = blockio.ErrSector
	} else if bytes := sc.window.record(sc, at); bytes != nil && blockio.Parse(bytes, &sc.record) == nil && sc.sound() {
		sequence = sc.record.Sequence
	} else {
		var err error
		if sequence, damaged, err = sc.closely(p, sc.batch.ordinals[at]); err != nil {
			return err
		}
	}
	switch {
	case sequence < sc.Published.First() || p.block.Deleted(sequence):
		sc.moveBehind(sequence)
		if lost, ok := sc.Published.Lost(sequence); ok && !sc.tells(sequence, damage) {
			// Another reader has found it damaged since the damage was looked for.
			if err := sc.tellUnread(); err != nil {
				return err
			}
			lost.First, lost.Last = sequence, sequence
			return sc.tell(sc.lostError(lost))
		}
		return nil
	case errors.Is(damaged, blockio.ErrSector):
		if sc.moveBehind(sequence); sc.tells(sequence, damage) {
			return nil // as below
		}
		return sc.unread(p, at, sequence, damaged)
	case damaged != nil:
		sc.moveBehind(sequence)
		if p.reader != nil {
			p.reader.loseRecord(p.block, sequence)
		}
		if sc.tells(sequence, damage) {
			return nil // the store is just about to show that it is deleted
		}
		return sc.tell(damaged)
	case sc.tooEarly():
		sc.moveBehind(sequence)
		return nil
	}
	select {
	case <-sc.ended:
		sc.emit(nil, context.Cause(sc.ctx))
		return errStopVisit
	default:
	}
	if p.reader != nil {
		sc.doubts.readable(p.block, sequence)
	}
	if sc.unreadable.err != nil {
		if err := sc.tellUnread(); err != nil {
			return err
		}
	}
	sc.moveBehind(sequence)
	if !sc.emit(&sc.record, nil) {
		return errStopVisit
	}
	return nil
}

// tells reports whether a lost sequence is in the damage that was handed out last, or in what is still to be: a
// stretch is handed out before the first of its records, downwards behind that.
func (sc *Scan) tells(sequence uint64, damage []stretch) bool {
	return sc.told.First <= sequence && sequence <= sc.told.Last ||
		slices.ContainsFunc(damage, func(d stretch) bool { return d.first <= sequence && sequence <= d.last })
}

// sound reports whether the current record can be one that the scan is looking for.
func (sc *Scan) sound() bool {
	return sc.record.Kind == blockio.KindMessage && (sc.Set.All() || sc.Set.Match(sc.record.Subject))
}

// closely reads a record that the window does not have, or not as its index has it. It returns what is
// wrong with the record as damaged, and an error when it cannot be told.
func (sc *Scan) closely(p *part, i int) (sequence uint64, damaged, err error) {
	var offset int64
	err = p.guard(func() (err error) {
		if sequence, err = p.table.sequence(i); err != nil {
			return err
		}
		var bytes []byte
		if bytes, offset, err = p.table.bytes(i, &sc.window.memory); err != nil {
			return err
		}
		if p.reader != nil && p.reader.block.Mapped() {
			// Whoever gets the record must not look at a mapping, which may fault.
			sc.window.memory = append(sc.window.memory[:0], bytes...)
			bytes = sc.window.memory
		}
		return blockio.Parse(bytes, &sc.record)
	})
	sc.window.clear() // its memory was used
	switch {
	case err == nil && (sc.record.Sequence != sequence || !sc.sound()):
		return sequence, sc.corrupt(p.block, offset, sequence, "record is another one", ErrCorrupt), nil
	case err != nil && errors.Is(err, blockio.ErrCorrupt) && !unusable(err):
		return sequence, sc.corrupt(p.block, offset, sequence, "record is damaged", err), nil
	}
	return sequence, nil, err
}
