package read

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// blockReader is a leased block together with its index: all it takes to find and to read the block's
// records. It is the description of the block (see blockio.Description), so it is made once for all
// who lease the block, and lives as long as the block is open.
type blockReader struct {
	source *Source
	block  *blockio.Block
	index  *blockindex.Index
	sum    blockindex.Summary
	file   *blockindex.File // where the index is; nil when it was made of the block
	heap   int64            // bytes of the index on the heap
	mapped *blockio.Mapping // the records that the index knows, of a block that still takes some; or nil

	damage   atomic.Pointer[[]stretch] // see stretches
	unread   bool                      // the index was made around sectors that cannot be read
	complete atomic.Bool               // the block has a record of all that is live, see holes
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Heap implements blockio.Description.
func (r *blockReader) Heap() int64 { return r.heap }

// Close implements blockio.Description.
func (r *blockReader) Close() (err error) {
	if r.mapped != nil {
		err = r.mapped.Close()
	}
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}

// acquire leases a block, with an index that knows of sequences as high as one. The caller releases
// the reader's block.
func (s *Source) acquire(b *engine.BlockView, sequence uint64) (*blockReader, error) {
	if p := b.Attached.Load(); p != nil {
		if r := (*p).(*blockReader); r.block.Retain() {
			if r.covers(sequence) {
				return r, nil
			}
			r.block.Drop()
			r.block.Release()
		}
	}
	for again := false; ; again = true {
		block, err := s.blocks.Lease(refOf(b), blockio.LeaseOptions{Whole: s.isWhole(b), Keep: true})
		if err != nil {
			return nil, err
		}
		made, err := block.Description(s.describe)
		if err != nil {
			block.Release()
			return nil, err
		}
		r := made.(*blockReader)
		if !r.covers(sequence) && !again {
			block.Drop()
			block.Release()
			continue
		}
		attached := any(r)
		b.Attached.Store(&attached)
		return r, nil
	}
}

// refOf names the file of a block as a view knows it.
func refOf(b *engine.BlockView) blockio.BlockRef {
	return blockio.BlockRef{ID: b.ID, Generation: b.Generation}
}

// sameBlock reports whether a view, which may be nil, is of the same file as another one.
func sameBlock(a, b *engine.BlockView) bool { return a != nil && refOf(a) == refOf(b) }

// isWhole reports whether the file of a block has all of its records: another block follows, and what
// was in memory has been written.
func (s *Source) isWhole(b *engine.BlockView) bool {
	if b.Tail != nil {
		if _, inMemory := b.Tail.Start(); inMemory {
			return false
		}
	}
	return s.Published.View().Next(b) != nil
}

// describe makes the reader of a block: from its index file if that is of use, and else from all of the
// block.
func (s *Source) describe(block *blockio.Block) (blockio.Description, error) {
	r := &blockReader{source: s, block: block}
	if err := r.openIndex(); err != nil {
		if err := r.makeIndex(); err != nil {
			return nil, err
		}
	}
	r.sum = r.index.Summary()
	if !r.unread {
		r.mapped, _ = r.block.MapRecords(r.sum.End)
	}
	return r, nil
}

// openIndex opens the index file beside a whole block.
func (r *blockReader) openIndex() error {
	id := r.block.Ref().ID
	if _, distrusted := r.source.distrusted.Load(id); distrusted || !r.block.Whole() || r.block.Replaced() {
		return blockindex.ErrMissing
	}
	want, err := blockindex.IdentityOf(r.block, id)
	if blockio.IsReadFailure(err) {
		r.source.Log.Warn("the end of a block cannot be read, and so its index is not used", "path", r.block.Path(), "error", err)
		return err
	}
	if err == nil {
		r.file, err = blockindex.OpenFile(r.source.FS, r.block.Path(), want, blockindex.Options{Pages: r.source.Shared.Pages})
	}
	if err == nil && r.file.Suspect() {
		if err = r.checkSuspect(want); err != nil {
			err = errors.Join(err, r.file.Close())
			r.file = nil
		}
	}
	switch {
	case err == blockindex.ErrMissing: // it is on its way
		return err
	case err != nil && r.block.Replaced(): // it is of the file that the block has now
		return err
	case err != nil:
		r.source.badIndex(id, err)
		return err
	}
	r.index = r.file.Index
	if !r.file.Mapped() {
		r.heap = int64(r.index.Summary().Messages) * heapPerMessage
	}
	return nil
}

// checkSuspect holds the block against an index whose block has another modification time than it had, as
// after a copy. The index stays in use if it is of these bytes, or of what they were before damage.
func (r *blockReader) checkSuspect(now blockindex.Identity) (err error) {
	r.source.Shared.Build(func() {
		var data []byte
		// What cannot be read differs from what was indexed.
		if data, err = r.block.ReadAll(nil); err != nil && blockio.Unreadable(err) == nil {
			return
		}
		var verdict blockindex.Verdict
		if verdict, err = r.file.CheckBlock(r.block.Codec(), data); err != nil {
			return
		}
		switch {
		case verdict.Other != "":
			err = fmt.Errorf("%w: %s", blockindex.ErrStale, verdict.Other)
		case len(verdict.Erased) > 0:
			err = fmt.Errorf("%w: messages were erased since", blockindex.ErrStale)
		case verdict.Same() && r.source.Renew != nil:
			r.source.Renew(now)
		}
	})
	return err
}

// heapPerMessage is about what an index takes for a message, in bytes.
const heapPerMessage = 40

// makeIndex makes an index of the block in memory.
func (r *blockReader) makeIndex() (err error) {
	r.source.Shared.Build(func() {
		var data, image []byte
		var unreadable *blockio.UnreadableError
		data, err = r.block.ReadAll(nil)
		if errors.As(err, &unreadable) && !unreadable.Whole() {
			r.unread = true
		} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return
		}
		// The file may have been cut since it was opened.
		stat := blockio.FileStat{Size: int64(len(data))}
		image, _, err = blockindex.BuildAround(r.block.Path(), r.block.Ref().ID, r.block.Codec(), data, blockio.Unreadable(err), stat)
		if err == nil {
			r.heap = int64(len(image))
			r.index, err = blockindex.OpenImage(image)
		}
	})
	return err
}

// covers reports whether the reader knows of sequences this high.
func (r *blockReader) covers(sequence uint64) bool { return r.block.Whole() || sequence <= r.sum.Last }

// record returns the bytes of record i, and where they are in the block. The index's checksum covers all
// of them, also the lengths, which the record's own does not: where only the record's own is right, the
// lengths are damaged. (The index is of this block: its identity was checked when it was opened.) Where
// there is another record, or one that marks itself erased, the index is stale. fromFile: not from memory that
// the file is mapped to.
func (r *blockReader) record(i int, buffer *[]byte, fromFile bool) (data []byte, offset int64, err error) {
	entry, err := r.index.Record(i)
	if err != nil {
		return nil, 0, err
	}
	if !fromFile {
		data, err = r.at(entry.Offset, entry.Size, buffer)
	}
	if fromFile || blockio.IsReadFailure(err) {
		data, err = r.around(entry.Offset, entry.Size, buffer)
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, entry.Offset, err
	}
	if len(data) == entry.Size && crc32.Checksum(data, crcTable) == entry.CRC {
		return data, entry.Offset, nil
	}
	if len(data) < entry.Size && !r.block.Whole() {
		// The file was cut after the index was made, or the record is just being written.
		return nil, entry.Offset, fmt.Errorf("%w: it ends within the record at %d", blockindex.ErrStale, entry.Offset)
	}
	state, err := r.index.CheckRecord(r.block.Codec(), i, data)
	switch {
	case err != nil:
		return nil, entry.Offset, err
	case state == blockindex.Damaged:
		return nil, entry.Offset, fmt.Errorf("%w: record differs from its block index", ErrCorrupt)
	}
	return nil, entry.Offset, fmt.Errorf("%w: record at %d: %v", blockindex.ErrStale, entry.Offset, state)
}

// at returns bytes of the block's records: in memory that the file is mapped to, or read into the buffer.
func (r *blockReader) at(offset int64, size int, buffer *[]byte) ([]byte, error) {
	if r.mapped != nil {
		if data := r.mapped.Bytes(); offset >= 0 && size >= 0 && offset <= int64(len(data)-size) {
			return data[offset:][:size:size], nil
		}
	}
	return r.block.At(offset, size, buffer)
}

// discard gives up the reader of a block whose index has turned out to be wrong: the next one is made
// anew, and the index file is written again. Where the block was forgotten before, its file has changed
// since, or somebody else has found out.
func (r *blockReader) discard(why error) {
	known := r.block.Forgotten() || r.block.Replaced()
	r.block.Drop()
	if !known && r.block.Whole() {
		r.source.badIndex(r.block.Ref().ID, why)
	}
}

// recordBuffers hold records of blocks that are not mapped while they are checked and copied.
var recordBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}
