package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A truncation is written down first (IntendTruncation), and then carried out by a recovery: the one that begins
// at once, or the next one, however often it takes (Recovery.carryOutTruncation).

// IntendedTruncation is a truncation that this process has written down, and not carried out yet. All that it finds in the
// files is durable.
type IntendedTruncation struct {
	blockio.Truncation
	left blockio.Left
	// scans are of blocks as they are to be, by their numbers, where that is known: these blocks are not read again.
	scans map[uint32]scanned
}

func (t *IntendedTruncation) keep(id uint32, s scanned) {
	if t.scans == nil {
		t.scans = make(map[uint32]scanned)
	}
	t.scans[id] = s
}

// forgetUnindexed forgets the scans that are in the place of an index, where there is none among the files of the directory:
// then one is to be written.
func (t *IntendedTruncation) forgetUnindexed(path func(id uint32) string, files []blockio.Entry) {
	if t == nil {
		return
	}
	there := make(map[string]bool, len(files))
	for _, file := range files {
		there[file.Name] = true
	}
	for id, s := range t.scans {
		if s.indexed && !there[filepath.Base(blockindex.Path(path(id)))] {
			delete(t.scans, id)
		}
	}
}

// scanOf returns the scan of a block as the truncation is to leave it, if that is known.
func (t *IntendedTruncation) scanOf(id uint32) (s scanned, known bool) {
	if t != nil {
		s, known = t.scans[id]
	}
	return s, known
}

// IntendTruncation writes down, durably, what a truncation is to leave of the blocks. begun tells that it may
// have been written: if not, nothing was changed.
func (f *Files) IntendTruncation(t *engine.Truncation) (intent *IntendedTruncation, begun bool, err error) {
	intent = &IntendedTruncation{Truncation: blockio.Truncation{Last: t.Last, Cut: t.Cut, Remove: t.Remove}}
	if t.Last > 0 {
		intent.Into = t.Into
		if err := f.plan(t, intent); err != nil {
			return nil, false, err
		}
		f.keepScan(intent, t.Into, f.scanWhole(t.Into, intent.Content, true))
		for _, k := range t.Known {
			intent.keep(k.ID, scanned{scan: k.Scan, found: blockio.BlockScan{End: k.Size}, indexed: true})
		}
	}
	if err := f.Tell(f.Published.LostWithin(1, blockio.MaxSequence)); err != nil {
		return nil, false, err
	}
	return intent, true, f.Blocks.WriteTruncation(intent.Truncation, &intent.left)
}

// plan finds what is left of the block that is cut, and the records that are to be written again, or for the first time,
// as the bytes of a block.
func (f *Files) plan(t *engine.Truncation, intent *IntendedTruncation) error {
	codec := f.Blocks.Codec(t.Into)
	if t.Cut == 0 { // nothing is left that a record could remove
		intent.Content = blockio.RemovalsBlock(codec, 0, nil, t.Last, engine.NoTime)
		return nil
	}
	keep := Removals{Floor: t.Floor}
	for _, id := range t.Graves {
		list, err := f.Removals(id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		keep.addAll(list)
	}
	newest, err := f.planCut(t, intent, &keep)
	if err == nil && (!newest.found || t.Bury) {
		newest, err = f.lookBelow(t, newest, &keep)
	}
	if err != nil {
		return err
	}
	skip := uint64(0)
	if newest.sequence != t.Last {
		skip = t.Last
	}
	graves := make([]blockio.Tombstone, 0, len(keep.Tombstones))
	for _, g := range keep.Tombstones {
		if g.Sequence <= t.Last {
			graves = append(graves, blockio.Tombstone{Sequence: g.Sequence, Time: g.Time})
		}
	}
	intent.Content = blockio.RemovalsBlock(codec, min(keep.Floor, t.Last+1), graves, skip, newest.time)
	return nil
}

// newestLive is the newest live message that a truncation leaves.
type newestLive struct {
	found    bool
	sequence uint64
	time     int64
}

// note takes a message up to the last sequence that is left: it is live, and then may be the newest one, or it has a
// tombstone added, if the truncation asks for that.
func (n *newestLive) note(t *engine.Truncation, live bool, sequence uint64, time int64, keep *Removals) {
	switch {
	case !live && t.Bury:
		keep.Tombstones = append(keep.Tombstones, engine.Tombstone{Sequence: sequence, Time: time})
	case live && (!n.found || sequence > n.sequence):
		*n = newestLive{true, sequence, time}
	}
}

// noteAll is note for the messages of a table.
func (n *newestLive) noteAll(t *engine.Truncation, table *engine.Table, live func(sequence uint64) bool, keep *Removals) {
	for i := range table.Len() {
		if r := table.At(i); r.Sequence <= t.Last {
			n.note(t, live(r.Sequence), r.Sequence, r.Time, keep)
		}
	}
}

// scanWhole scans bytes that are to be a block, as the last one with anything in it.
func (f *Files) scanWhole(id uint32, data []byte, last bool) scanned {
	scan, found := f.scanBlock(id, data, true, last)
	return scanned{scan: scan, found: found, size: int64(len(data))}
}

// keepScan keeps the scan of a block as the truncation is to leave it for the recovery. In an encrypted stream that has
// more to see than the scan says.
func (f *Files) keepScan(intent *IntendedTruncation, id uint32, s scanned) {
	if _, sealed := blockio.SealerOf(f.FS); !sealed {
		intent.keep(id, s)
	}
}

// planCut finds what is left of the block that is cut, and adds the removals that are not. It returns the newest live
// message in it.
func (f *Files) planCut(t *engine.Truncation, intent *IntendedTruncation, keep *Removals) (newest newestLive, err error) {
	newest.time = engine.NoTime
	data, err := f.readReadable(t.Cut)
	if err != nil {
		return newest, err
	}
	live := f.liveIn(t.Cut)
	path, codec := f.Blocks.Path(t.Cut), f.Blocks.Codec(t.Cut)
	if left, plain := blockio.CutPlain(codec, data, t.Last); plain {
		if s := f.scanWhole(t.Cut, left, false); s.found.DamageCount == 0 && !s.found.Torn {
			intent.left.Data = left
			f.keepScan(intent, t.Cut, s)
			newest.noteAll(t, s.scan.Table(), live, keep)
			return newest, nil
		}
	}
	end := blockio.CutEnd(path, t.Cut, codec, data, t.Last, func(r blockio.Record) {
		if r.Kind == blockio.KindMessage && r.Sequence <= t.Last {
			newest.note(t, live(r.Sequence), r.Sequence, r.Time, keep)
		}
	})
	if end == int64(len(data)) {
		return newest, nil
	}
	left, err := blockio.Cut(path, t.Cut, codec, data, end, t.Last)
	if err != nil {
		return newest, err
	}
	intent.left.Data = left.Data
	keep.Floor = max(keep.Floor, left.Floor)
	for _, g := range left.Tombstones {
		keep.Tombstones = append(keep.Tombstones, engine.Tombstone{Sequence: g.Sequence, Time: g.Time})
	}
	return newest, nil
}

// liveIn returns a function that reports whether a message in the file of a block is live.
func (f *Files) liveIn(id uint32) func(sequence uint64) bool {
	first := f.Published.First()
	blocks := f.Published.View().Blocks()
	i := slices.IndexFunc(blocks, func(b *engine.BlockView) bool { return b.ID == id })
	if i < 0 {
		return func(uint64) bool { return false }
	}
	b := blocks[i]
	return func(sequence uint64) bool { return sequence >= first && !b.Deleted(sequence) }
}

// addAll adds the removals of another list.
func (r *Removals) addAll(other Removals) {
	r.Tombstones = append(r.Tombstones, other.Tombstones...)
	r.Floor = max(r.Floor, other.Floor)
}

// lookBelow returns the newest live message that a truncation leaves in the blocks below the one that is cut, unless that has
// one. If the truncation asks for it, it adds tombstones of those that are not live. It goes from block to block,
// downwards, and holds the table of one.
func (f *Files) lookBelow(t *engine.Truncation, newest newestLive, keep *Removals) (newestLive, error) {
	blocks := slices.Clone(f.Published.View().Blocks())
	for _, b := range slices.Backward(blocks) {
		if b.ID >= t.Cut || newest.found && !t.Bury {
			continue
		}
		table, err := f.tableOf(b.ID)
		if err != nil {
			return newest, err
		}
		newest.noteAll(t, table, f.liveIn(b.ID), keep)
	}
	return newest, nil
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
	intent, err := r.intendedTruncation()
	if intent == nil || err != nil {
		return nil, err
	}
	if err := r.Blocks.RemoveSources(); err != nil {
		return nil, err
	}
	if err := r.forgetLost(intent.Last); err != nil {
		return nil, err
	}
	err = r.change(intent.Cut, func() error { return r.Blocks.CarryOut(&intent.Truncation, r.Generation, intent.left, r.Derived...) })
	return &intent.Truncation, err
}

// intendedTruncation returns what this process has written down, or what is found to be.
func (r *Recovery) intendedTruncation() (*IntendedTruncation, error) {
	if r.Intended != nil {
		return r.Intended, nil
	}
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
	intent := &IntendedTruncation{Truncation: *t}
	if t.Cut > 0 {
		intent.left.Data, err = r.leftOf(t.Cut, t.Last)
	}
	return intent, err
}

// leftOf returns what is to be left of a block that is cut behind the records of sequences up to last, nil if that is all
// of it. Where a crash came behind the cut, an index of the block as it was before may be there: it goes.
func (r *Recovery) leftOf(id uint32, last uint64) ([]byte, error) {
	data, err := r.readReadable(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	path, codec := r.Blocks.Path(id), r.Blocks.Codec(id)
	end := blockio.CutEnd(path, id, codec, data, last, nil)
	if end == int64(len(data)) {
		return nil, r.removeIndexOfBefore(id)
	}
	left, err := blockio.Cut(path, id, codec, data, end, last)
	return left.Data, err
}

// removeIndexOfBefore removes the index of a block that is not one of the block as it is.
func (r *Recovery) removeIndexOfBefore(id uint32) error {
	x, _, err := r.openIndex(id)
	switch {
	case err == nil:
		_ = x.Close() // it was opened for reading, so an error of closing it loses nothing
		return nil
	case errors.Is(err, errNoUse) || blockio.IsReadFailure(err) && !errors.Is(err, blockio.ErrMapped): // of the block, that is
		return nil
	}
	err = r.FS.Remove(blockindex.Path(r.Blocks.Path(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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

// endTruncation forgets a truncation that was carried out.
func (r *Recovery) endTruncation() error {
	if r.Intended != nil {
		return r.Blocks.ForgetTruncation()
	}
	return r.Blocks.RemoveTruncation()
}

// Sweep removes what a truncation that was carried out has left of what went. What was the index of the block that is cut has the
// name under which another index of that block is written, so none is written meanwhile.
func (f *Files) Sweep(t *blockio.Truncation) error {
	f.beside.Lock()
	err := f.Blocks.Sweep(&blockio.Truncation{Cut: t.Cut})
	f.beside.Unlock()
	return errors.Join(err, f.Blocks.Sweep(&blockio.Truncation{Remove: t.Remove}))
}
