package disk

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// find lists the message records in the first size bytes of a block that a filter selects, up to a sequence (0: all of
// them): from its index, of which that takes the pages with these subjects, or else from a scan of the block.
func (f *Files) find(id uint32, size int64, to uint64, filter *subject.Set) (*engine.Table, error) {
	table, err := f.findInIndex(id, size, to, filter)
	if err == nil {
		return table, nil
	}
	f.warnOfIndex(id, err)
	scan := engine.NewScan(id)
	err = f.eachRecord(id, size, func(offset int64, r *blockio.Record) {
		if r.Kind == blockio.KindMessage && (to == 0 || r.Sequence <= to) && selects(filter, r.Subject) {
			scan.Message(r.Sequence, r.Time, offset, r.Size, r.Subject)
		}
	})
	if err != nil {
		return nil, err
	}
	scan.Finish(size, false, nil, 0)
	return scan.Table(), nil
}

// selects reports whether a filter selects a subject: nothing but one that selects all does so with the
// empty one.
func selects(filter *subject.Set, name []byte) bool {
	return filter.All() || len(name) > 0 && filter.Match(name)
}

// findInIndex is find from the index alone.
func (f *Files) findInIndex(id uint32, size int64, to uint64, filter *subject.Set) (*engine.Table, error) {
	if filter.All() {
		return f.tableFromIndex(id, size, to)
	}
	x, err := f.indexOf(id, size)
	if err != nil {
		return nil, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	var found postings
	if err := found.collect(x, filter); err != nil {
		return nil, err
	}
	scan := engine.NewScan(id)
	err = found.inOrder(func(ordinal int, name []byte) error {
		r, err := x.Record(ordinal)
		if err != nil {
			return err
		}
		sequence, err := x.Sequence(ordinal)
		if err == nil && (to == 0 || sequence <= to) {
			scan.Message(sequence, r.Time, r.Offset, r.Size, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	scan.Finish(size, false, nil, 0)
	return scan.Table(), nil
}

// indexOf opens the index of a sealed block of that size.
func (f *Files) indexOf(id uint32, size int64) (*blockindex.File, error) {
	x, _, err := f.openIndex(id)
	if err != nil {
		return nil, err
	}
	if x.Summary().End != size {
		return nil, errors.Join(errNoUse, x.Close())
	}
	return x, nil
}

// subjects lists the subjects of the message records in the first size bytes of a block.
func (f *Files) subjects(id uint32, size int64) (*engine.Table, error) {
	x, err := f.indexOf(id, size)
	if err == nil {
		defer x.Close() // it was opened for reading, so an error of closing it loses nothing
		table := engine.NewSubjectsTable(x.Summary().Subjects)
		err = eachSubject(x, func(name []byte, info blockindex.SubjectInfo, _, last uint64) {
			table.AddSubject(name, uint64(info.Count), last)
		})
		if err == nil {
			return table, nil
		}
	}
	f.warnOfIndex(id, err)
	data, unreadable, err := f.readKnown(id)
	if err != nil {
		return nil, err
	}
	scan, _ := f.scanAround(id, data[:min(int64(len(data)), size)], unreadable, false, false)
	return scan.Table(), nil
}

// readKnown is readAll for a command that has to find all messages of a block. Sectors that cannot be read are an
// error, unless that was so when the stream was opened: what they hold is then none of its messages.
func (f *Files) readKnown(id uint32) (data []byte, unreadable []blockio.SectorRange, err error) {
	data, unreadable, err = f.readAll(id, nil)
	if err == nil && len(unreadable) > 0 && !f.unreadable[id] {
		err = fmt.Errorf("%w: block %d has sectors that cannot be read", errTryAgain, id)
	}
	return data, unreadable, err
}

// tombstones lists the tombstones in the first size bytes of a block: from its index, or else from a scan of the
// block.
func (f *Files) tombstones(id uint32, size int64) (list []engine.Tombstone, err error) {
	x, err := f.indexOf(id, size)
	if err == nil {
		defer x.Close() // it was opened for reading, so an error of closing it loses nothing
		var removals Removals
		if removals, err = removalsOf(x); err == nil {
			return removals.Tombstones, nil
		}
	}
	f.warnOfIndex(id, err)
	err = f.eachRecord(id, size, func(_ int64, r *blockio.Record) {
		if r.Kind == blockio.KindTombstone {
			list = append(list, engine.Tombstone{Sequence: r.Sequence, Time: r.Time})
		}
	})
	return list, err
}

// eachRecord visits the records in the first size bytes of a block. One that has no file has none: it was
// removed after somebody asked, who no longer looks at it.
func (f *Files) eachRecord(id uint32, size int64, visit func(offset int64, r *blockio.Record)) error {
	data, unreadable, err := f.readKnown(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	blockio.ScanBlockAround(f.Blocks.Path(id), id, f.Blocks.Codec(id), data[:min(int64(len(data)), size)], unreadable, false,
		func(offset int64, r blockio.Record) { visit(offset, &r) })
	return nil
}
