package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

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
	// Encrypted, if not nil, reports whether files are encrypted on their way.
	Encrypted func() bool
	// Derived names the files beside the blocks that describe the stream as a whole, and that the
	// first change makes wrong.
	Derived []string
	// ReadOnly tells that nothing of the stream may be changed: FS keeps in memory what is written. What goes because
	// time passes stays then, and what is only worth its trouble on a disk is not written.
	ReadOnly bool
	// Published is what readers are shown.
	Published *engine.Published

	// sealTail: recovery does not append to what it finds. In an encrypted block that may have been written to behind its end
	// the same bytes of the key stream would be used twice.
	sealTail bool

	loads attempts // to load tables
	looks attempts // to see what an index shows that is to be written anew

	telling sync.Mutex // guards the two below
	told    []blockio.LostRange
	hasTold bool // told is what is in the file
	// buried has the blocks with indexes that name removals which the blocks do not: the recovery has seen to it that these
	// are written down again.
	buried map[uint32]bool
	// unreadable has the blocks with sectors that could not be read when the stream was opened. It does not
	// change after that.
	unreadable map[uint32]bool

	state stateFiles
	// opened has the files of the blocks as they were when the stream was opened, but for the last one, as long as nobody
	// has changed them. It is guarded by beside.
	opened map[uint32]blockio.BlockInfo

	beside   sync.Mutex                 // guards building, and held while a block, or what is beside it, is changed
	building map[*indexAttempt]struct{} // indexes that are being made
}

// Commit carries out a commit, up to the first error.
func (f *Files) Commit(c *engine.Commit) error {
	_, err := f.TimedCommit(c)
	return err
}

// TimedCommit is Commit, and tells how long it has waited for syncs of blocks.
func (f *Files) TimedCommit(c *engine.Commit) (syncs time.Duration, err error) {
	for _, op := range c.Ops {
		synced, err := f.timedOp(op)
		syncs += synced
		if err != nil {
			return syncs, fmt.Errorf("%v: %w", op, err)
		}
	}
	return syncs, nil
}

// timedOp carries out one operation of a commit, and tells how long it has waited for a sync.
func (f *Files) timedOp(op engine.Op) (synced time.Duration, err error) {
	switch op.Kind {
	case engine.OpSync, engine.OpSeal:
		began := time.Now()
		err = f.Op(op)
		return time.Since(began), err
	case engine.OpWrite:
		err = f.Op(op)
		return f.Blocks.TakeSyncTime(), err
	}
	return 0, f.Op(op)
}

// Op carries out one operation of a commit.
func (f *Files) Op(op engine.Op) error {
	switch op.Kind {
	case engine.OpRemoveDerived:
		f.state.outdated()
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
	return fmt.Errorf("unknown operation %v", op)
}

// Work carries out work of the maintenance lane.
func (f *Files) Work(w engine.Work) engine.Done {
	done := engine.Done{ID: w.ID}
	switch w.Kind {
	case engine.WorkLoad:
		if done.Table, done.Err = f.loadTable(w.Block, w.Size, f.loads.hasPatience(w.Block)); done.Err == nil {
			f.loads.done(w.Block)
		}
	case engine.WorkFind:
		done.Table, done.Err = f.find(w.Block, w.Size, w.Sequence, w.Filter)
	case engine.WorkSubjects:
		done.Table, done.Err = f.subjects(w.Block, w.Size)
	case engine.WorkTombstones:
		done.Tombstones, done.Err = f.tombstones(w.Block, w.Size)
	case engine.WorkIDs:
		done.IDs, done.Err = f.ids(w.Block, w.Size, w.Since)
	case engine.WorkSchedules:
		done.Scheduled, done.Zones, done.Err = f.schedules(w.Block, w.Size)
	case engine.WorkZone:
		done.Zones = map[string]*time.Location{w.Zone: zone(w.Zone)}
	case engine.WorkLives:
		done.Lives, done.Err = f.lives(w.Block, w.Size)
	case engine.WorkSync:
		// A block that was sealed since the work was handed out is synced, and no longer open.
		if err := f.Blocks.Sync(w.Block); !errors.Is(err, blockio.ErrNotOpen) {
			done.Err = err
		}
	case engine.WorkSeal:
		done.Err = f.Blocks.Seal(w.Block, w.Size)
	case engine.WorkRemove:
		if done.Err = f.removeState(); done.Err == nil {
			done.Err = f.Blocks.Remove(w.Block)
		}
	case engine.WorkCompact: // of a store that is opening or stopping
		done, _ = f.CompactFor(w)
	case engine.WorkErase:
		done.Err = f.Erase(w.Block, w.Sequence, w.Size, w.Length, rand.Reader)
	case engine.WorkTell:
		done.Err = f.TellPublished()
	case engine.WorkIndex:
		_, done.Err = f.WriteIndex(w.Block, w.Data)
	default:
		done.Err = fmt.Errorf("unknown work %v", w)
	}
	return done
}

// loadTable lists the message records in the first size bytes of a block: those that its index
// has, or else those that a scan of the block finds. With patience, a block with sectors that cannot be
// read is an error: it is worth another attempt.
func (f *Files) loadTable(id uint32, size int64, patience bool) (*engine.Table, error) {
	table, err := f.tableFromIndex(id, size, 0)
	if err == nil {
		return table, nil
	}
	f.warnOfIndex(id, err)
	data, unreadable, err := f.readAll(id, nil)
	if errors.Is(err, fs.ErrNotExist) {
		// The block was removed after its table was asked for. The engine no longer looks at it.
		return engine.NewScan(id).Table(), nil
	}
	if err != nil {
		return nil, err
	}
	if len(unreadable) > 0 && patience {
		return nil, fmt.Errorf("%w: block %d has sectors that cannot be read", errTryAgain, id)
	}
	scan, _ := f.scanAround(id, data[:min(int64(len(data)), size)], unreadable, false, false)
	return scan.Table(), nil
}

// lease leases a block as it is now, for a single pass. whole says that its file takes no more records.
func (f *Files) lease(id uint32, whole bool) (*blockio.Block, error) {
	for {
		ref := f.Source.Current(blockio.BlockRef{ID: id, Generation: f.Generation})
		block, err := f.Source.Lease(ref, blockio.LeaseOptions{Whole: whole})
		if err != nil || f.Source.Current(ref) == ref {
			return block, err
		}
		block.Release() // the other lane has replaced it
	}
}

// readAll returns the bytes of a block as they are now, in buffer if that is large enough, and which of them
// could not be read. Where nothing can be read, that is an error.
func (f *Files) readAll(id uint32, buffer []byte) (data []byte, unreadable []blockio.SectorRange, err error) {
	data, unreadable, _, err = f.readBlock(id, buffer)
	return data, unreadable, err
}

// readBlock is readAll, and reports whether the file of the block is compressed.
func (f *Files) readBlock(id uint32, buffer []byte) (data []byte, unreadable []blockio.SectorRange, compressed bool, err error) {
	block, err := f.lease(id, false)
	if err != nil {
		return nil, nil, false, err
	}
	defer block.Release()
	data, err = block.ReadAll(buffer)
	var e *blockio.UnreadableError
	if errors.As(err, &e) && !e.Whole() {
		return data, e.Sectors, block.Compressed(), nil
	}
	return data, nil, block.Compressed(), err
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
	return f.scanAround(id, data, nil, tail, last)
}

// scanAround is scanBlock of a block of which some bytes could not be read.
func (f *Files) scanAround(id uint32, data []byte, unreadable []blockio.SectorRange, tail, last bool) (*engine.Scan, blockio.BlockScan) {
	scan := engine.NewScan(id)
	found := blockio.ScanBlockAround(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, unreadable, tail,
		func(offset int64, r blockio.Record) {
			switch r.Kind {
			case blockio.KindMessage:
				scan.Message(r.Sequence, r.Time, offset, r.Size, r.Subject)
				scan.Life(r.Sequence, r.Time, r.Header)
			case blockio.KindSkip, blockio.KindErased:
				scan.Skip(r.Sequence, r.Time)
			case blockio.KindTombstone:
				scan.Tombstone(r.Sequence, r.Time)
			case blockio.KindFloor:
				first, _ := r.Floor()
				scan.Floor(first)
			}
		})
	if len(unreadable) == 0 {
		scan.LivesKnown()
	}
	scan.Mark(found.MarkCRC)
	scan.Around(found.LostHead, found.LostEnd)
	scan.Finish(found.End, last && f.appendable(&found), found.Lost, found.LostBytes)
	return scan, found
}

// appendable reports whether records may be appended to a block as recovery finds it. One that is empty gets another key before.
func (f *Files) appendable(found *blockio.BlockScan) bool {
	return appendable(found) && (!f.sealTail || found.End == 0)
}

// appendable reports whether records may be appended to a block. Behind damage they may not: it would
// then no longer be at the block's end. Nor is anything written to a file with sectors that cannot be read.
func appendable(found *blockio.BlockScan) bool {
	return found.DamageCount == 0 && !found.Settle && found.Unreadable == 0
}
