package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// What was told to be lost stays told: it is written down before what showed the loss may go.

// Tell writes down which messages are lost, durably, if that is not in the file already.
func (f *Files) Tell(lost []engine.LostRange) error {
	f.telling.Lock()
	defer f.telling.Unlock()
	return f.tell(lost)
}

// TellPublished writes down what readers are shown to be lost.
func (f *Files) TellPublished() error {
	f.telling.Lock() // first: what is written later is not older
	defer f.telling.Unlock()
	return f.tell(f.Published.LostWithin(1, blockio.MaxSequence))
}

func (f *Files) tell(lost []engine.LostRange) error {
	if !f.hasTold {
		before, err := f.Blocks.ReadLost()
		if blockio.Unreadable(err) != nil {
			f.Log.Warn("what was known to be lost cannot be read, and is written anew", "error", err)
		} else if err != nil {
			return err
		}
		f.told, f.hasTold = before, true
	}
	ranges := f.toTell(lost)
	if slices.Equal(ranges, f.told) {
		return nil
	}
	if err := f.Blocks.WriteLost(ranges); err != nil {
		f.hasTold = false // it may be either
		return fmt.Errorf("write down what is lost: %w", err)
	}
	f.told = ranges
	return nil
}

// toTell returns what is to be written down of what is lost: all but what sectors cost that cannot be read. They
// go on to show that, and when they can be read again nothing may say that it is lost.
func (f *Files) toTell(lost []engine.LostRange) []blockio.LostRange {
	ranges := make([]blockio.LostRange, 0, len(lost))
	for _, l := range lost {
		if !f.unreadable[l.Block] {
			ranges = append(ranges, blockio.LostRange{Block: l.Block, First: l.First, Last: l.Last, Bytes: l.Bytes})
		}
	}
	if len(f.unreadable) == 0 {
		return ranges
	}
	for _, l := range f.told { // something else has cost these
		if f.unreadable[l.Block] {
			ranges = append(ranges, l)
		}
	}
	slices.SortFunc(ranges, func(a, b blockio.LostRange) int { return cmp.Compare(a.First, b.First) })
	return ranges
}

// wasToldOf reports whether messages of a block are known to be lost.
func (r *Recovery) wasToldOf(id uint32) bool {
	return slices.ContainsFunc(r.evidence.told, func(l engine.LostRange) bool { return l.Block == id })
}

// keepTold writes down what recovery has found to be lost, and then removes the indexes that showed it: they
// are of blocks that have changed. Recovery goes on if that cannot be written; the indexes stay then, and
// keep has those without a block that do.
//
// What the head of the stream has passed meanwhile is left in the file: the next stop drops it.
func (r *Recovery) keepTold(lost []engine.LostRange, keep map[uint32]bool) {
	known := func(l engine.LostRange) bool {
		i, _ := slices.BinarySearchFunc(r.evidence.told, l, func(t, l engine.LostRange) int { return cmp.Compare(t.Last, l.Last) })
		return i < len(r.evidence.told) && r.evidence.told[i].First <= l.First
	}
	new := slices.ContainsFunc(lost, func(l engine.LostRange) bool { return !known(l) })
	if !new {
		lost = r.evidence.told
	}
	if err := r.Tell(lost); err != nil {
		r.Log.Warn("what is lost will not be known at the next opening, if its block changes", "error", err)
		return
	}
	clear(keep)
	for _, id := range r.evidence.stale {
		if r.buried[id] {
			continue // it shows removals that are not written again yet
		}
		if err := r.FS.Remove(blockindex.Path(r.Blocks.Path(id))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.Log.Warn("cannot remove an index that does not fit its block", "path", r.Blocks.Path(id), "error", err)
		}
	}
	r.evidence.stale = nil
}

// isEvidence reports whether the index of a block, which is to be written anew, alone shows that messages
// are lost. data is the block. What is lost and known to be is written down instead.
func (f *Files) isEvidence(id uint32, data []byte) (bool, error) {
	evidence, _, err := f.weighIndex(id, data)
	return evidence, err
}

// weighIndex is isEvidence. exact tells that the block is damaged, and that its index says all that it had.
func (f *Files) weighIndex(id uint32, data []byte) (evidence, exact bool, err error) {
	x, err := blockindex.OpenFileForEvidence(f.FS, f.Blocks.Path(id), id, blockindex.Options{})
	if blockio.IsReadFailure(err) && !f.looks.hasPatience(id) {
		f.looks.done(id)
		f.Log.Warn("the index of a block cannot be read, and is written anew", "path", blockindex.Path(f.Blocks.Path(id)), "error", err)
		return false, false, nil // it shows nothing to anybody
	}
	if err != nil {
		return false, false, unlessItProvesNothing(err) // as nearly always: there is none
	}
	if err := x.Close(); err != nil {
		return false, false, err
	}
	scan, _ := f.scanBlock(id, data, false, false)
	lacked, err := f.lackedBy(id, data, scan)
	if scan.NamesLess() && !f.buried[id] {
		return true, true, err // the next opening writes them down
	}
	if len(lacked) == 0 || err != nil {
		return false, scan.HadKnown(), err
	}
	for _, m := range lacked {
		if _, ok := f.Published.Lost(m.sequence); !ok {
			return true, true, nil
		}
	}
	return false, scan.HadKnown(), f.TellPublished()
}
