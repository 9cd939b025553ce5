package disk

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// compact writes a sealed block anew with what c says is left of it, as the block of a generation, and returns
// the scan of what it is then, and its bytes. The scan is nil when nothing is left: the block is then as it was, and to be
// removed.
//
// A block with damage, one that had sectors that could not be read when the stream was opened, and one whose index
// shows damage or a loss that nobody has been told of, stays as it is: the error wraps blockio.ErrCorrupt. With
// sectors that cannot be read now it is a *blockio.UnreadableError. An error that wraps blockio.ErrSync or blockio.ErrBroken leaves it
// open which of the two blocks the disk has. After any other one the block is as it was, of the generation
// that it had, and may have no index.
//
// With compress the file is compressed if that makes it shorter by a sixteenth; if neither that nor anything else does,
// the scan is nil, too.
func (f *Files) compact(id uint32, generation uint64, c blockio.Compaction, compress bool) (scan *engine.Scan, plain []byte, err error) {
	data, err := f.sealed(id)
	if err != nil {
		return nil, nil, err
	}
	path, codec := f.Blocks.Path(id), f.Blocks.Codec(id)
	left, err := blockio.Compact(path, id, codec, data, c)
	if err != nil || len(left.Data) == 0 {
		return nil, nil, err
	}
	scan, found := f.scanBlock(id, left.Data, false, false)
	if found.DamageCount > 0 || scan.Messages() != uint64(left.Messages) {
		return nil, nil, fmt.Errorf("%s would not be read back as it was compacted", path)
	}
	content := left.Data
	if compress {
		if packed := blockio.Compress(left.Data); shorter(packed, left.Data) {
			content = packed
			scan.Compressed()
		} else if !shorter(left.Data, data) {
			return nil, nil, nil
		}
	}
	return scan, left.Data, f.rewrite(id, generation, content)
}

// shorter reports whether a file is worth writing in the place of another one.
func shorter(file, than []byte) bool { return len(file) <= len(than)-len(than)/16 }

// CompactFor does what a WorkCompact asks for. kept says why the block is as it was, if it is.
func (f *Files) CompactFor(w engine.Work) (done engine.Done, kept error) {
	c := w.Compaction
	scan, left, err := f.compact(w.Block, c.Generation, blockio.Compaction{
		Live: c.Live, KeepTombstone: c.KeepTombstone, KeepFloor: c.KeepFloor,
	}, c.Compress)
	if err != nil && !errors.Is(err, blockio.ErrSync) && !errors.Is(err, blockio.ErrBroken) {
		return engine.Done{ID: w.ID}, err
	}
	done = engine.Done{ID: w.ID, Scan: scan, Err: err}
	if err == nil && scan != nil && scan.Messages() > 0 && c.IndexFrom >= 0 && int64(len(left)) >= c.IndexFrom {
		// The bytes that are in memory were verified. An index that cannot be written is asked for once more.
		done.Indexed, err = f.WriteIndex(w.Block, [][]byte{left})
		if err != nil {
			f.Log.Warn("cannot write the index of a block that was written anew; it will be tried again", "path", f.Blocks.Path(w.Block), "error", err)
		}
	}
	return done, nil
}

// Cut cuts a block that is not appended to behind the record that ends at end, as the block of a generation,
// and returns the scan of what is left: records may go on at its end, once Blocks.OpenTail was called. last is
// the last sequence that is left in the stream. Of the removals behind the cut those are returned that are still
// needed: they are to be written again before the cut is acknowledged.
//
// What is known to be lost behind last is not, any more. Errors are as those of compact, but for damage, which
// is no obstacle, and blockio.ErrOffset when no record ends there. Sectors that cannot be read are one: the new
// file would have them for damage when they can be again.
func (f *Files) Cut(id uint32, generation uint64, end int64, last uint64) (*engine.Scan, Removals, error) {
	data, err := f.readReadable(id)
	if err != nil {
		return nil, Removals{}, err
	}
	left, err := blockio.Cut(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, end, last)
	if err != nil {
		return nil, Removals{}, err
	}
	untold, err := f.isEvidence(id, data)
	if err != nil {
		return nil, Removals{}, err
	}
	if untold {
		f.Log.Warn("a block is cut whose index shows a loss that was not told of", "path", f.Blocks.Path(id))
	}
	if err := f.rewrite(id, generation, left.Data); err != nil {
		return nil, Removals{}, err
	}
	if err := f.Tell(f.Published.LostWithin(1, last)); err != nil {
		return nil, Removals{}, err
	}
	scan, _ := f.scanBlock(id, left.Data, false, true)
	behind := Removals{Floor: left.Floor}
	for _, t := range left.Tombstones {
		behind.add(t.Sequence, t.Time)
	}
	return scan, behind, nil
}

// Erase overwrites the record of a message in a block that is not appended to, and what recovery has set aside
// of the message: see blockio.Blocks.Erase and EraseAside. A tombstone of the sequence, or a floor above it, is to be
// durable before. Nobody that leases the block afterwards reads the message. The index of the block is gone, and is to be
// written again.
func (f *Files) Erase(id uint32, sequence uint64, offset int64, size int, random io.Reader) error {
	f.state.outdated()
	return f.change(id, func() error {
		if err := f.Blocks.Erase(id, sequence, offset, size, random, f.Derived...); err != nil {
			return err
		}
		_, err := f.Blocks.EraseAside(sequence, random)
		return err
	})
}

// rewrite replaces the file of a block. The file that it had stays open for readers until no view that speaks
// of it is left.
func (f *Files) rewrite(id uint32, generation uint64, content []byte) error {
	before := f.Source.Current(blockio.BlockRef{ID: id, Generation: f.Generation})
	f.state.outdated()
	err := f.change(id, func() error { return f.Blocks.Rewrite(id, generation, content, f.Derived...) })
	if err != nil {
		return err
	}
	blocks := f.Published.View().Blocks()
	i := slices.IndexFunc(blocks, func(b *engine.BlockView) bool { return b.ID == id })
	if i < 0 {
		f.Source.Retire(before)
		return nil
	}
	runtime.AddCleanup(blocks[i].Origin(), f.Source.Retire, before)
	return nil
}

// sealed returns the bytes of a sealed block, unless its index shows that they are not what they were. The
// error wraps blockio.ErrCorrupt then.
func (f *Files) sealed(id uint32) ([]byte, error) {
	block, err := f.lease(id, true)
	if err != nil {
		return nil, err
	}
	defer block.Release()
	data, err := block.ReadAll(nil)
	if err != nil {
		return nil, err
	}
	if f.unreadable[id] {
		// What they hold is not in the stream before it is opened again, and nothing is written down of it.
		return nil, f.contradicted(id, "it had sectors that could not be read")
	}
	indexed, err := f.checkIndexed(block, data)
	if err != nil || indexed {
		return data, err
	}
	lacks, err := f.isEvidence(id, data)
	if err == nil && lacks {
		err = f.contradicted(id, "its index has messages that it lacks")
	}
	return data, err
}

// readReadable returns the bytes of a block as they are now, if all of them can be read.
func (f *Files) readReadable(id uint32) ([]byte, error) {
	block, err := f.lease(id, false)
	if err != nil {
		return nil, err
	}
	defer block.Release()
	return block.ReadAll(nil)
}

// checkIndexed holds all bytes of a block against the index beside it, which sees damage to lengths that the
// block does not show. It is false when there is no index of the block as it is.
func (f *Files) checkIndexed(block *blockio.Block, data []byte) (indexed bool, err error) {
	id := block.Ref().ID
	want, err := blockindex.IdentityOf(block, id)
	if err != nil {
		return false, err
	}
	x, err := blockindex.OpenFile(f.FS, block.Path(), want, blockindex.Options{})
	if blockio.IsReadFailure(err) {
		// isEvidence says for how long that matters.
		f.Log.Warn("the index of a block that is to be written anew cannot be read", "path", block.Path(), "error", err)
		return false, nil
	}
	if err != nil {
		return false, unlessItProvesNothing(err)
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	verdict, err := x.CheckBlock(block.Codec(), data)
	switch {
	case err != nil:
		return false, unlessItProvesNothing(err)
	case verdict.Other != "": // it is of another block
		return false, nil
	case len(verdict.Damaged) > 0 || len(verdict.Between) > 0:
		return true, f.contradicted(id, "it differs from its index")
	}
	return true, nil
}

// contradicted is the error for a block that something else shows to be damaged.
func (f *Files) contradicted(id uint32, reason string) error {
	return &blockio.CorruptionError{Path: f.Blocks.Path(id), Block: id, Reason: reason, Err: blockio.ErrCorrupt}
}
