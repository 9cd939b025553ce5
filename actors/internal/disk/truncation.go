package disk

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A truncation is written down first (IntendTruncation), and then carried out by a recovery: the one that begins
// at once, or the next one, however often it takes (Recovery.carryOutTruncation).

// IntendTruncation writes down, durably, what a truncation is to leave of the blocks. begun tells that it may
// have been written: if not, nothing was changed.
func (f *Files) IntendTruncation(t *engine.Truncation) (begun bool, err error) {
	intent := blockio.Truncation{Last: t.Last, Cut: t.Cut, Remove: t.Remove}
	if t.Last > 0 {
		intent.Into = t.Into
		if intent.Content, err = f.removalsToKeep(t); err != nil {
			return false, err
		}
	}
	if err := f.Tell(f.Published.LostWithin(1, blockio.MaxSequence)); err != nil {
		return false, err
	}
	return true, f.Blocks.WriteTruncation(intent)
}

// removalsToKeep returns the records that are to be written again, or for the first time, as the bytes of a
// block.
func (f *Files) removalsToKeep(t *engine.Truncation) ([]byte, error) {
	keep := Removals{Floor: t.Floor}
	for _, id := range t.Remove {
		list, err := f.Removals(id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		keep.addAll(list)
	}
	live, time := false, engine.NoTime
	if t.Cut > 0 {
		data, err := f.readReadable(t.Cut)
		if err != nil {
			return nil, err
		}
		end := blockio.CutEnd(f.Blocks.Path(t.Cut), t.Cut, f.Blocks.Codec(t.Cut), data, t.Last)
		blockio.ScanBlock(f.Blocks.Path(t.Cut), t.Cut, f.Blocks.Codec(t.Cut), data, false, func(offset int64, r blockio.Record) {
			if offset >= end && (r.Kind == blockio.KindTombstone || r.Kind == blockio.KindFloor) {
				keep.add(r.Sequence, r.Time)
			}
		})
		if live, time, err = f.lookBelow(t, &keep); err != nil {
			return nil, err
		}
	}
	if t.Cut == 0 {
		keep = Removals{} // nothing is left that it could remove
	}
	skip := uint64(0)
	if !live {
		skip = t.Last
	}
	graves := make([]blockio.Tombstone, 0, len(keep.Tombstones))
	for _, g := range keep.Tombstones {
		if g.Sequence <= t.Last {
			graves = append(graves, blockio.Tombstone{Sequence: g.Sequence, Time: g.Time})
		}
	}
	codec := f.Blocks.Codec(t.Into)
	return blockio.RemovalsBlock(codec, min(keep.Floor, t.Last+1), graves, skip, time), nil
}

// addAll adds the removals of another list.
func (r *Removals) addAll(other Removals) {
	r.Tombstones = append(r.Tombstones, other.Tombstones...)
	r.Floor = max(r.Floor, other.Floor)
}

// lookBelow returns the time of the newest live message that a truncation leaves, and whether that is the last
// sequence. If the truncation asks for it, it adds tombstones of those that are not live. It goes from block to
// block, downwards, and holds the table of one.
func (f *Files) lookBelow(t *engine.Truncation, keep *Removals) (live bool, time int64, err error) {
	view, first := f.Published.View(), f.Published.First()
	time = engine.NoTime
	blocks := slices.Clone(view.Blocks())
	slices.Reverse(blocks)
	found := false
	for _, b := range blocks {
		if b.ID > t.Cut || found && !t.Bury {
			continue
		}
		table, err := f.tableOf(b.ID)
		if err != nil {
			return false, 0, err
		}
		for i := table.Len() - 1; i >= 0; i-- {
			r := table.At(i)
			switch {
			case r.Sequence > t.Last:
			case r.Sequence < first || b.Deleted(r.Sequence):
				if t.Bury {
					keep.Tombstones = append(keep.Tombstones, engine.Tombstone{Sequence: r.Sequence, Time: r.Time})
				}
			case !found:
				found, live, time = true, r.Sequence == t.Last, r.Time
			}
		}
	}
	return live, time, nil
}

// tableOf lists the messages in the file of a block as it is now.
func (f *Files) tableOf(id uint32) (*engine.Table, error) {
	data, unreadable, err := f.readKnown(id)
	if errors.Is(err, fs.ErrNotExist) {
		return engine.NewScan(id).Table(), nil
	}
	if err != nil {
		return nil, err
	}
	scan, _ := f.scanAround(id, data, unreadable, false, false)
	return scan.Table(), nil
}

// carryOutTruncation carries out a truncation that was written down, as far as that is not done yet, and returns it; nil
// if nothing was. Run forgets it in the end.
func (r *Recovery) carryOutTruncation() (*blockio.Truncation, error) {
	t, err := r.Blocks.ReadTruncation()
	if errors.Is(err, blockio.ErrCorrupt) {
		r.Log.Error("what a truncation was to leave is damaged, and forgotten: the stream may be cut in part", "error", err)
		return nil, r.Blocks.RemoveTruncation()
	}
	if t == nil || err != nil {
		return nil, err
	}
	if r.ServerHad {
		r.Log.Warn("a truncation was not carried out before nats-server had the stream, and is forgotten", "last", t.Last)
		return nil, r.Blocks.RemoveTruncation()
	}
	r.Log.Info("the end of the log is being cut off", "last", t.Last)
	// As far as the disk knows, it may not be written yet.
	if err := blockio.SyncDir(r.FS, r.Blocks.Dir()); err != nil {
		return nil, err
	}
	if err := r.Blocks.RemoveDerived(r.Derived...); err != nil {
		return nil, err
	}
	if err := r.Blocks.RemoveSources(); err != nil {
		return nil, err
	}
	if err := r.forgetLost(t.Last); err != nil {
		return nil, err
	}
	for _, id := range slices.Backward(t.Remove) {
		if err := r.Blocks.Remove(id); err != nil {
			return nil, err
		}
	}
	if t.Cut > 0 {
		if err := r.cutBlock(t.Cut, t.Last); err != nil {
			return nil, err
		}
	}
	if t.Into > 0 {
		if err := r.Blocks.CreateWith(t.Into, t.Content); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// cutBlock cuts a block behind the records of sequences up to last.
func (r *Recovery) cutBlock(id uint32, last uint64) error {
	data, err := r.readReadable(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path, codec := r.Blocks.Path(id), r.Blocks.Codec(id)
	end := blockio.CutEnd(path, id, codec, data, last)
	if end == int64(len(data)) {
		return nil
	}
	left, err := blockio.Cut(path, id, codec, data, end, last)
	if err != nil {
		return err
	}
	return r.change(id, func() error { return r.Blocks.Rewrite(id, r.Generation, left.Data, r.Derived...) })
}

// forgetLost drops what is known to be lost behind a sequence.
func (r *Recovery) forgetLost(last uint64) error {
	told, err := r.Blocks.ReadLost()
	if err != nil {
		return err
	}
	n := 0
	for _, l := range told {
		if l.First <= last {
			l.Last = min(l.Last, last)
			told[n] = l
			n++
		}
	}
	if n == 0 && len(told) == 0 {
		return nil
	}
	return r.Blocks.WriteLost(told[:n])
}

// afterTruncation changes what a failure is known to have left: the files are those of the truncation, all of
// which was synced.
func (r *Recovery) afterTruncation(t *blockio.Truncation) {
	r.Highest = max(r.Highest, t.Into, t.Cut)
	for _, id := range t.Remove {
		r.Highest = max(r.Highest, id)
	}
	if r.After != nil {
		r.After.Cut = engine.Position{Block: blockio.MaxBlockID}
		r.After.CutAgain = false
		r.After.Last, r.After.First = min(r.After.Last, t.Last), min(r.After.First, t.Last+1)
	}
}
