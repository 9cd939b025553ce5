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
var errNoUse = errors.New("actors: no index that is of use")

// openIndex opens the index file beside a block. The caller closes it, and looks at it under
// blockio.Guard.
func (f *Files) openIndex(id uint32) (*blockindex.File, error) {
	block, err := f.lease(id, true)
	if err != nil {
		return nil, err
	}
	defer block.Release()
	want, err := blockindex.IdentityOf(block, id)
	if err != nil {
		return nil, err
	}
	x, err := blockindex.OpenFile(f.FS, block.Path(), want, blockindex.Options{StrictModTime: true})
	if errors.Is(err, blockindex.ErrMissing) {
		err = fmt.Errorf("%w: %w", errNoUse, err)
	}
	return x, err
}

// scanFromIndex returns what a scan of a sealed block finds, from the block's index alone: the block
// is not read.
func (f *Files) scanFromIndex(id uint32) (*engine.Scan, blockio.BlockScan, error) {
	x, err := f.openIndex(id)
	if err != nil {
		return nil, blockio.BlockScan{}, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	sum := x.Summary()
	if sum.Messages == 0 {
		return nil, blockio.BlockScan{}, errNoUse
	}
	found := blockio.BlockScan{End: sum.End, DamageCount: sum.Damage, LostBytes: sum.LostBytes}
	var scan *engine.Scan
	err = blockio.Guard(func() error {
		scan, err = scanOf(x, id, &found)
		return err
	})
	return scan, found, err
}

// scanOf makes a scan of an index, and completes found with the sequences that were lost.
func scanOf(x *blockindex.File, id uint32, found *blockio.BlockScan) (*engine.Scan, error) {
	sum := x.Summary()
	summary := engine.IndexSummary{
		Size: sum.End, Messages: uint64(sum.Messages), Bytes: sum.Bytes, First: sum.FirstMessage, Last: sum.Last,
		FirstTime: sum.FirstTime, LastTime: sum.LastTime, MaxTime: sum.MaxTime, Timeless: sum.Timeless,
		LostBytes: sum.LostBytes,
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
// where the records end that are asked for.
func (f *Files) tableFromIndex(id uint32, size int64) (*engine.Table, error) {
	x, err := f.openIndex(id)
	if err != nil {
		return nil, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	if x.Summary().End != size {
		return nil, errNoUse // the engine has the block's later records in memory
	}
	x.Populate()
	scan := engine.NewScan(id)
	if err := blockio.Guard(func() error { return fillTable(scan, x) }); err != nil {
		return nil, err
	}
	return scan.Table(), nil
}

// fillTable adds the message records of an index to a scan.
func fillTable(scan *engine.Scan, x *blockindex.File) error {
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
		var name []byte
		if r.Subject != blockindex.EmptySubject {
			if int(r.Subject) >= len(names) {
				return fmt.Errorf("%w: subject %d of %d", blockindex.ErrDamaged, r.Subject, len(names))
			}
			name = names[r.Subject]
		}
		scan.Message(sequence, r.Time, r.Offset, r.Size, name)
	}
	return nil
}
