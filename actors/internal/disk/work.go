package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Files is the files of a stream, as the two lanes and recovery work on them. Its methods are for
// both lanes at a time; blockio.Blocks says what may overlap.
type Files struct {
	Log    *slog.Logger
	FS     blockio.FS
	Blocks *blockio.Blocks
	// Generation is that of the blocks, as the engine counts them.
	Generation uint64
	// Source is the way to read the blocks, and what Blocks tells of the files that it cuts and removes.
	Source *blockio.BlockSource
	// Derived names the files beside the blocks that describe the stream as a whole, and that the
	// first change makes wrong.
	Derived []string
	// Published is what readers are shown.
	Published *engine.Published

	telling sync.Mutex // guards the two below
	told    []blockio.LostRange
	hasTold bool // told is what is in the file
}

// Commit carries out a commit, up to the first error.
func (f *Files) Commit(c *engine.Commit) error {
	for _, op := range c.Ops {
		if err := f.Op(op); err != nil {
			return fmt.Errorf("%v: %w", op, err)
		}
	}
	return nil
}

// Op carries out one operation of a commit.
func (f *Files) Op(op engine.Op) error {
	switch op.Kind {
	case engine.OpRemoveDerived:
		return f.Blocks.RemoveDerived(f.Derived...)
	case engine.OpCreate:
		return f.Blocks.Create(op.Block)
	case engine.OpWrite:
		return f.Blocks.Append(op.Block, op.Offset, op.Data, op.Sync)
	case engine.OpSync:
		return f.Blocks.Sync(op.Block)
	case engine.OpSeal:
		return f.Blocks.Seal(op.Block, op.Offset)
	}
	return fmt.Errorf("actors: unknown operation %v", op)
}

// Work carries out work of the maintenance lane.
func (f *Files) Work(w engine.Work) engine.Done {
	done := engine.Done{ID: w.ID}
	switch w.Kind {
	case engine.WorkLoad:
		done.Table, done.Err = f.loadTable(w.Block, w.Size)
	case engine.WorkFind:
		done.Table, done.Err = f.find(w.Block, w.Size, w.Filter)
	case engine.WorkSubjects:
		done.Table, done.Err = f.subjects(w.Block, w.Size)
	case engine.WorkTombstones:
		done.Tombstones, done.Err = f.tombstones(w.Block, w.Size)
	case engine.WorkSync:
		// A block that was sealed since the work was handed out is synced, and no longer open.
		if err := f.Blocks.Sync(w.Block); !errors.Is(err, blockio.ErrNotOpen) {
			done.Err = err
		}
	case engine.WorkSeal:
		done.Err = f.Blocks.Seal(w.Block, w.Size)
	case engine.WorkRemove:
		done.Err = f.Blocks.Remove(w.Block)
	case engine.WorkTell:
		done.Err = f.TellPublished()
	case engine.WorkIndex:
		_, done.Err = f.WriteIndex(w.Block)
	default:
		done.Err = fmt.Errorf("actors: unknown work %v", w)
	}
	return done
}

// loadTable lists the message records in the first size bytes of a block: those that its index
// has, or else those that a scan of the block finds.
func (f *Files) loadTable(id uint32, size int64) (*engine.Table, error) {
	table, err := f.tableFromIndex(id, size)
	if err == nil {
		return table, nil
	}
	f.warnOfIndex(id, err)
	data, err := f.readAll(id, nil)
	if errors.Is(err, fs.ErrNotExist) {
		// The block was removed after its table was asked for. The engine no longer looks at it.
		return engine.NewScan(id).Table(), nil
	}
	if err != nil {
		return nil, err
	}
	scan, _ := f.scanBlock(id, data[:min(int64(len(data)), size)], false, false)
	return scan.Table(), nil
}

// lease leases a block for a single pass. whole says that its file takes no more records.
func (f *Files) lease(id uint32, whole bool) (*blockio.Block, error) {
	return f.Source.Lease(blockio.BlockRef{ID: id, Generation: f.Generation}, blockio.LeaseOptions{Whole: whole})
}

// readAll returns the bytes of a block as they are now, in buffer if that is large enough.
func (f *Files) readAll(id uint32, buffer []byte) ([]byte, error) {
	block, err := f.lease(id, false)
	if err != nil {
		return nil, err
	}
	defer block.Release()
	return block.ReadAll(buffer)
}

// warnOfIndex logs why the index of a block cannot be used, unless it is only missing or does not help,
// or the block itself cannot be read.
func (f *Files) warnOfIndex(id uint32, err error) {
	if !errors.Is(err, errNoUse) && !errors.Is(err, blockio.ErrCompressed) {
		f.Log.Warn("a block index is not to be used; the block is read", "path", f.Blocks.Path(id), "error", err)
	}
}

// scanBlock turns the bytes of a block into what the engine recovers from. tail says that the block
// may be torn, last that it takes the next records.
func (f *Files) scanBlock(id uint32, data []byte, tail, last bool) (*engine.Scan, blockio.BlockScan) {
	scan := engine.NewScan(id)
	found := blockio.ScanBlock(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, tail,
		func(offset int64, r blockio.Record) {
			switch r.Kind {
			case blockio.KindMessage:
				scan.Message(r.Sequence, r.Time, offset, r.Size, r.Subject)
			case blockio.KindSkip, blockio.KindErased:
				scan.Skip(r.Sequence, r.Time)
			case blockio.KindTombstone:
				scan.Tombstone(r.Sequence, r.Time)
			case blockio.KindFloor:
				first, _ := r.Floor()
				scan.Floor(first)
			}
		})
	scan.Mark(found.MarkCRC)
	scan.Around(found.LostHead, found.LostEnd)
	scan.Finish(found.End, last && appendable(&found), found.Lost, found.LostBytes)
	return scan, found
}

// appendable reports whether records may be appended to a block. Behind damage they may not: it would
// then no longer be at the block's end.
func appendable(found *blockio.BlockScan) bool { return found.DamageCount == 0 && !found.Settle }
