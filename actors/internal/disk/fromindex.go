package disk

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// errNoUse marks an index that is missing, or that does not hold what is asked of it. Nothing is wrong
// with the block or with the index.
var errNoUse = errors.New("no index that is of use")

// openIndex opens the index file beside a block, if it is of the block's bytes: one whose block has another
// modification time is held against the block once. It returns the messages that are damaged in the block.
// The caller closes the index.
func (f *Files) openIndex(id uint32) (*blockindex.File, []blockindex.OrdinalRange, error) {
	block, err := f.lease(id, true)
	if err != nil {
		return nil, nil, err
	}
	defer block.Release()
	return f.openIndexOf(block)
}

// openIndexOf is openIndex for a block that is leased.
func (f *Files) openIndexOf(block *blockio.Block) (*blockindex.File, []blockindex.OrdinalRange, error) {
	id := block.Ref().ID
	want, err := blockindex.IdentityOf(block, id)
	if err != nil {
		return nil, nil, err
	}
	x, err := blockindex.OpenFile(f.FS, block.Path(), want, blockindex.Options{Once: true})
	if errors.Is(err, blockindex.ErrMissing) {
		err = fmt.Errorf("%w: %w", errNoUse, err)
	}
	if err != nil || !x.Suspect() {
		return x, nil, err
	}
	damaged, err := f.checkSuspect(x, block, want)
	if err != nil {
		return nil, nil, errors.Join(err, x.Close())
	}
	return x, damaged, nil
}

// says reports whether a block has an index that is of its first size bytes, all of them intact, and says so.
func (f *Files) says(id uint32, size int64, so func(*blockindex.Summary) bool) bool {
	x, damaged, err := f.openIndex(id)
	if err != nil {
		return false
	}
	sum := x.Summary()
	_ = x.Close() // it was opened for reading, so an error of closing it loses nothing
	return so(&sum) && len(damaged) == 0 && sum.End == size
}

// checkSuspect holds a block against its index. Where they agree, the index is renewed. What cannot be read
// differs.
func (f *Files) checkSuspect(x *blockindex.File, block *blockio.Block, now blockindex.Identity) ([]blockindex.OrdinalRange, error) {
	data, err := block.ReadAll(nil)
	if err != nil && blockio.Unreadable(err) == nil {
		return nil, err
	}
	verdict, err := x.CheckBlock(block.Codec(), data)
	switch {
	case err != nil:
		return nil, err
	case verdict.Other != "":
		return nil, fmt.Errorf("%w: %s", blockindex.ErrStale, verdict.Other)
	case len(verdict.Erased) > 0:
		return nil, fmt.Errorf("%w: messages were erased since", blockindex.ErrStale)
	case !verdict.Same():
		return verdict.Damaged, nil
	}
	if err := f.RenewIndex(now); err != nil {
		f.Log.Warn("cannot renew the index of a block; its block is checked again when it is opened next",
			"path", blockindex.Path(block.Path()), "error", err)
	}
	return nil, nil
}

// scanFromIndex returns what a scan of a sealed block finds, from the block's index alone: the block
// is not read.
func (f *Files) scanFromIndex(id uint32) (scanned, error) {
	block, err := f.lease(id, true)
	if err != nil {
		return scanned{}, err
	}
	defer block.Release()
	x, damaged, err := f.openIndexOf(block)
	if err != nil {
		return scanned{}, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	sum := x.Summary()
	if sum.Messages == 0 {
		return scanned{}, errNoUse
	}
	s := scanned{indexed: true, found: blockio.BlockScan{End: sum.End, DamageCount: sum.Damage, LostBytes: sum.LostBytes}}
	if s.scan, err = scanOf(x, id, &s.found); err == nil {
		if block.Compressed() {
			s.scan.Compressed()
			s.compressed = true
		}
		s.losses, err = lossesOf(x, id, damaged)
	}
	return s, err
}

// lossesOf returns the losses of messages that are damaged.
func lossesOf(x *blockindex.File, id uint32, damaged []blockindex.OrdinalRange) (losses []engine.Loss, err error) {
	for _, r := range damaged {
		for i := r.First; i < r.End; i++ {
			sequence, err := x.Sequence(i)
			if err != nil {
				return nil, err
			}
			entry, err := x.Record(i)
			if err != nil {
				return nil, err
			}
			l := engine.Loss{SubjectKnown: true}
			l.Bytes = uint64(entry.Size)
			l.Block, l.First, l.Last = id, sequence, sequence
			if entry.Subject != blockindex.EmptySubject {
				name, err := x.Subject(entry.Subject, nil)
				if err != nil {
					return nil, err
				}
				l.Subject = string(name)
			}
			losses = append(losses, l)
		}
	}
	return losses, nil
}

// scanOf makes a scan of an index, and completes found with the sequences that were lost.
func scanOf(x *blockindex.File, id uint32, found *blockio.BlockScan) (*engine.Scan, error) {
	sum := x.Summary()
	summary := engine.IndexSummary{
		Size: sum.End, Messages: uint64(sum.Messages), Bytes: sum.Bytes, First: sum.FirstMessage, Last: sum.Last,
		FirstTime: sum.FirstTime, LastTime: sum.LastTime, MaxTime: sum.MaxTime, TimesAscend: sum.TimesAscend, Timeless: sum.Timeless,
		LostBytes: sum.LostBytes, Plain: sum.Plain,
	}
	var before blockindex.Run // a gap lies where the next run does not go on from it
	gap := func(first, last uint64) {
		if first <= last {
			summary.Deleted = append(summary.Deleted, engine.SequenceRange{First: first, Last: last})
		}
	}
	err := x.Runs(func(r blockindex.Run) bool {
		if r.Ordinal > 0 {
			gap(before.Sequence+uint64(r.Ordinal-before.Ordinal), r.Sequence-1)
		}
		before = r
		return true
	})
	if err != nil {
		return nil, err
	}
	gap(sum.LastMessage+1, sum.Last)
	err = x.Tombstones(func(t blockindex.Tombstone) bool {
		if first, ok := blockio.FloorOf(t.Time); ok && t.Sequence == 0 {
			summary.Floor = max(summary.Floor, first)
			return true
		}
		summary.Tombstones = append(summary.Tombstones, engine.Tombstone{Sequence: t.Sequence, Time: t.Time})
		return true
	})
	if err != nil {
		return nil, err
	}
	err = x.Lost(func(sequence uint64) bool {
		summary.Lost = append(summary.Lost, sequence)
		return true
	})
	if err != nil {
		return nil, err
	}
	found.Lost = summary.Lost
	scan := engine.NewIndexedScan(id, summary)
	return scan, eachSubject(x, func(name []byte, info blockindex.SubjectInfo, first, last uint64) {
		scan.Subject(name, uint64(info.Count), first, last, uint32(info.LastSize))
	})
}

// eachSubject calls visit for each subject but the empty one, with the sequences of its first and its
// last message.
func eachSubject(x *blockindex.File, visit func(name []byte, info blockindex.SubjectInfo, first, last uint64)) error {
	all := subject.Everything()
	var broken error
	err := x.Walk(&all, func(rank uint32, name []byte, info blockindex.SubjectInfo) bool {
		if rank == blockindex.EmptySubject {
			return true
		}
		var first, last uint64
		if first, broken = x.Sequence(info.First); broken == nil {
			last, broken = x.Sequence(info.Last)
		}
		if broken == nil {
			visit(name, info, first, last)
		}
		return broken == nil
	})
	if err != nil {
		return err
	}
	return broken
}

// tableFromIndex returns the message records of a sealed block, from the block's index alone. size is
// where the records end that are asked for, and to the highest sequence, 0 for any.
func (f *Files) tableFromIndex(id uint32, size int64, to uint64) (*engine.Table, error) {
	x, _, err := f.openIndex(id)
	if err != nil {
		return nil, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	if x.Summary().End != size {
		return nil, errNoUse // the engine has the block's later records in memory
	}
	if to == 0 {
		x.Populate()
	}
	scan := engine.NewScan(id)
	if err := fillTable(scan, x, to); err != nil {
		return nil, err
	}
	return scan.Table(), nil
}

// fillTable adds the message records of an index, up to a sequence (0: all of them), to a scan.
func fillTable(scan *engine.Scan, x *blockindex.File, to uint64) error {
	names := make([][]byte, 0, x.Summary().Subjects)
	if err := eachSubject(x, func(name []byte, _ blockindex.SubjectInfo, _, _ uint64) {
		names = append(names, append([]byte(nil), name...))
	}); err != nil {
		return err
	}
	for i := range x.Len() {
		r, err := x.Record(i)
		if err != nil {
			return err
		}
		sequence, err := x.Sequence(i)
		if err != nil {
			return err
		}
		if to > 0 && sequence > to {
			return nil
		}
		var name []byte
		if r.Subject != blockindex.EmptySubject {
			if int(r.Subject) >= len(names) {
				return fmt.Errorf("%w: subject %d of %d", blockindex.ErrDamaged, r.Subject, len(names))
			}
			name = names[r.Subject]
		}
		scan.MessageOf(sequence, r.Time, r.Offset, r.Size, r.Subject, name)
	}
	return nil
}
