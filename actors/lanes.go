package actors

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// What the two lanes do, without the actors that do it: plain functions over
// files, so that tests can run them one operation at a time.

// commitError is an operation of a commit that failed.
type commitError struct {
	op  engine.Op
	err error
}

func (e *commitError) Error() string { return fmt.Sprintf("%v: %v", e.op, e.err) }
func (e *commitError) Unwrap() error { return e.err }

// runCommit carries out a commit, up to the first error.
func runCommit(blocks *blockio.Blocks, derived []string, c *engine.Commit) error {
	for _, op := range c.Ops {
		if err := runOp(blocks, derived, op); err != nil {
			op.Data = nil
			return &commitError{op, err}
		}
	}
	return nil
}

func runOp(blocks *blockio.Blocks, derived []string, op engine.Op) error {
	switch op.Kind {
	case engine.OpRemoveDerived:
		return blocks.RemoveDerived(derived...)
	case engine.OpCreate:
		return blocks.Create(op.Block)
	case engine.OpWrite:
		return blocks.Append(op.Block, op.Offset, op.Data, op.Sync)
	case engine.OpSync:
		return blocks.Sync(op.Block)
	case engine.OpSeal:
		return blocks.Seal(op.Block, op.Offset)
	}
	return fmt.Errorf("actors: unknown operation %v", op)
}

// runWork carries out maintenance work.
func runWork(log *slog.Logger, fsys blockio.FS, blocks *blockio.Blocks, w engine.Work) engine.Done {
	done := engine.Done{ID: w.ID}
	switch w.Kind {
	case engine.WorkLoad:
		done.Table, done.Err = loadTable(log, fsys, blocks, w.Block, w.Size)
	case engine.WorkSync:
		// A block that was sealed in the meantime is synced.
		if err := blocks.Sync(w.Block); !errors.Is(err, blockio.ErrNotOpen) {
			done.Err = err
		}
	case engine.WorkSeal:
		done.Err = blocks.Seal(w.Block, w.Size)
	case engine.WorkRemove:
		done.Err = blocks.Remove(w.Block)
	case engine.WorkIndex:
		_, done.Err = writeIndex(fsys, blocks.Path(w.Block), w.Block, blocks.Codec(w.Block))
	default:
		done.Err = fmt.Errorf("actors: unknown work %v", w)
	}
	return done
}

// loadTable lists the records in the first size bytes of a block, as its index has
// them, or as a scan finds them.
func loadTable(log *slog.Logger, fsys blockio.FS, blocks *blockio.Blocks, id uint32, size int64) (*engine.Table, error) {
	table, err := tableFromIndex(fsys, blocks, id, size)
	if err == nil {
		return table, nil
	}
	if err != errNoIndex {
		log.Warn("a block index is not to be used; the block is read", "path", blocks.Path(id), "error", err)
	}
	data, err := blocks.ReadAll(id, nil)
	if errors.Is(err, fs.ErrNotExist) {
		// Removed after the table was asked for; nobody will look at it.
		return engine.NewScan(id).Table(), nil
	}
	if err != nil {
		return nil, err
	}
	scan, _ := scanBlock(blocks, id, data[:min(int64(len(data)), size)], false, false)
	return scan.Table(), nil
}

// appendable reports whether records may be appended to a block: not behind
// damage, which would then no longer be at its end.
func appendable(found *blockio.BlockScan) bool { return found.DamageCount == 0 && !found.Settle }

// scanBlock turns the bytes of a block into what the engine recovers from. tail
// says that the block may be torn, last that it takes the next records.
func scanBlock(blocks *blockio.Blocks, id uint32, data []byte, tail, last bool) (*engine.Scan, blockio.BlockScan) {
	scan := engine.NewScan(id)
	found := blockio.ScanBlock(blocks.Path(id), id, blocks.Codec(id), data, tail,
		func(offset int64, r blockio.Record) {
			switch r.Kind {
			case blockio.KindMessage:
				scan.Message(r.Sequence, r.Time, offset, r.Size, r.Subject)
			case blockio.KindSkip, blockio.KindErased:
				scan.Skip(r.Sequence, r.Time)
			case blockio.KindTombstone:
				scan.Tombstone(r.Sequence, r.Time)
			}
		})
	scan.Finish(found.End, last && appendable(&found), found.Lost, found.LostBytes)
	return scan, found
}
