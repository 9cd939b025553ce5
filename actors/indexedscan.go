package actors

import (
	"errors"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// errNoIndex says that a block has no index from which it could be recovered.
var errNoIndex = errors.New("actors: no index")

// openedIndex is the index file of a block, open for the time of a recovery or of
// loading a table.
type openedIndex struct {
	*blockindex.Index
	mapping *blockio.Mapping // nil when the index is on the heap
}

func (x *openedIndex) close() {
	if x.mapping != nil {
		// It was mapped for reading: there is nothing to lose.
		_ = x.mapping.Close()
	}
}

// populate brings all of the index into memory, when most of it is about to be used. An
// error comes again when it is.
func (x *openedIndex) populate() {
	if x.mapping != nil {
		_ = x.mapping.Populate(0, int64(len(x.mapping.Bytes())))
	}
}

// openIndexFile opens the index beside a block, if it is of the block as it is now.
// The caller closes it, and looks at it under blockio.Guard.
func openIndexFile(fsys blockio.FS, path string, want blockindex.Identity) (*openedIndex, error) {
	file, err := fsys.OpenFile(blockindex.Path(path), blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoIndex
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() // opened for reading: there is nothing to lose
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	x := &openedIndex{}
	var options blockindex.Options
	var data []byte
	if m, ok := blockio.MapFile(file, stat.Size); ok {
		x.mapping, data, options.Populate = m, m.Bytes(), m.Populate
	} else {
		if stat.Size > mostIndexFile {
			return nil, blockindex.ErrDamaged
		}
		data = make([]byte, stat.Size)
		if _, err := readFull(file, data); err != nil {
			return nil, err
		}
	}
	err = blockio.Guard(func() error {
		x.Index, err = blockindex.Open(data, want, options)
		return err
	})
	if err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

// mostIndexFile bounds the index files that are read into memory, in bytes.
const mostIndexFile = 1 << 30

// identityOf says what the file of a block is now.
func identityOf(fsys blockio.FS, path string, id uint32) (blockindex.Identity, error) {
	file, err := fsys.OpenFile(path, blockio.ModeRead)
	if err != nil {
		return blockindex.Identity{}, err
	}
	defer file.Close() // opened for reading: there is nothing to lose
	return blockindex.IdentityOf(file, id)
}

// scanIndexed is what a scan of a sealed block finds, from its index alone. The block
// is not read.
func scanIndexed(fsys blockio.FS, blocks *blockio.Blocks, id uint32) (*engine.Scan, blockio.BlockScan, error) {
	want, err := identityOf(fsys, blocks.Path(id), id)
	if err != nil {
		return nil, blockio.BlockScan{}, err
	}
	x, err := openIndexFile(fsys, blocks.Path(id), want)
	if err != nil {
		return nil, blockio.BlockScan{}, err
	}
	defer x.close()
	sum := x.Summary()
	if sum.Messages == 0 {
		return nil, blockio.BlockScan{}, errNoIndex
	}
	found := blockio.BlockScan{End: sum.End, DamageCount: sum.Damage, LostBytes: sum.LostBytes}
	var scan *engine.Scan
	err = blockio.Guard(func() error {
		scan, err = x.scan(id, &found)
		return err
	})
	return scan, found, err
}

func (x *openedIndex) scan(id uint32, found *blockio.BlockScan) (*engine.Scan, error) {
	sum := x.Summary()
	summary := engine.IndexSummary{
		Size: sum.End, Messages: uint64(sum.Messages), Bytes: sum.Bytes, First: sum.FirstMessage, Last: sum.Last,
		FirstTime: sum.FirstTime, LastTime: sum.LastTime, MaxTime: sum.MaxTime, Timeless: sum.Timeless,
		LostBytes: sum.LostBytes,
	}
	var before blockindex.Run // and where the next one would go on without a gap
	gap := func(first, last uint64) {
		if first <= last {
			summary.Gaps = append(summary.Gaps, engine.SequenceRange{First: first, Last: last})
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
	return scan, x.eachSubject(func(name []byte, info blockindex.SubjectInfo, first, last uint64) {
		scan.Subject(name, uint64(info.Count), first, last, uint32(info.LastSize))
	})
}

// eachSubject calls visit for each subject but the empty one, with the sequences of its
// first and last message.
func (x *openedIndex) eachSubject(visit func(name []byte, info blockindex.SubjectInfo, first, last uint64)) error {
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
	return firstError(err, broken)
}

// tableFromIndex is what a scan of the records of a sealed block finds of its messages,
// from the index alone.
func tableFromIndex(fsys blockio.FS, blocks *blockio.Blocks, id uint32, size int64) (*engine.Table, error) {
	want, err := identityOf(fsys, blocks.Path(id), id)
	if err != nil {
		return nil, err
	}
	x, err := openIndexFile(fsys, blocks.Path(id), want)
	if err != nil {
		return nil, err
	}
	defer x.close()
	if x.Summary().End != size {
		return nil, errNoIndex // it goes on in memory
	}
	x.populate()
	scan := engine.NewScan(id)
	err = blockio.Guard(func() error {
		names := make([][]byte, 0, x.Summary().Subjects)
		if err := x.eachSubject(func(name []byte, _ blockindex.SubjectInfo, _, _ uint64) {
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
					return blockindex.ErrDamaged
				}
				name = names[r.Subject]
			}
			scan.Message(sequence, r.Time, r.Offset, r.Size, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return scan.Table(), nil
}
