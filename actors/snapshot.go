package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/engine"
)

// ErrSnapshotStale: the stream has changed so that a snapshot could not be completed: it was truncated, it has
// recovered from a failure, a message was erased, or more blocks were removed at once than are kept open for it.
// Take another one.
var ErrSnapshotStale = errors.New("the stream has changed under the snapshot; take another one")

type (
	// SnapshotOptions say how a snapshot is taken. Zero is usable.
	SnapshotOptions struct {
		// Timeout, if above 0, is how long it may take: context.DeadlineExceeded is the error then.
		Timeout time.Duration
		// Consumers adds the consumers that a nats-server has left in the directory, as they are.
		Consumers bool
		// Since, if not nil, is SnapshotInfo.Catalog of an earlier snapshot: the blocks that are as they were then are left
		// out. All of them are read all the same. Restore needs that snapshot, too; a nats-server cannot restore an
		// increment.
		Since SnapshotCatalog
		// Progress, if set, is called now and then, on the goroutine of Snapshot.
		Progress func(SnapshotProgress)
	}
	// SnapshotProgress says how far a snapshot is.
	SnapshotProgress struct {
		Messages, OfMessages uint64
		Written              int64 // bytes of the archive
	}
	// SnapshotInfo says what a snapshot holds: the stream as of one instant.
	SnapshotInfo struct {
		FirstSequence, LastSequence uint64
		Messages, Bytes             uint64
		Blocks, Consumers           int
		Size                        int64 // of the archive, in bytes
		// LeftOut is how many of the blocks were left out, see SnapshotOptions.Since.
		LeftOut int
		// Catalog is what an increment is made with that builds on this snapshot.
		Catalog SnapshotCatalog
	}
	// SnapshotCatalog says which blocks a stream had when a snapshot was taken: their checksums by their numbers.
	// CatalogOf reads it out of a snapshot.
	SnapshotCatalog = archive.Catalog
)

// Snapshot writes an archive of the stream as it is at one instant during the call: it holds every message that is
// live then, those whose store has returned before the call among them, and no other one, whatever is stored or
// removed while it is written. Restore makes a stream of it, and so does a nats-server; docs/snapshots.md has the
// format.
//
// It runs on the caller's goroutine, beside the store, block by block: stores go on meanwhile. It needs the memory of
// two blocks, and flushes the stream twice when it begins. The checksum of every record is verified on the way.
//
// When the context ends or the store is stopped, it ends before the next block or the next write. It cannot end a
// write of w that blocks.
//
// Errors: ErrStopped; ErrFailed when the stream cannot write; ErrCorrupt says where a live message is damaged,
// or it is the error of the disk; ErrSnapshotStale; and those of w and the context. What was written before an
// error is no archive, and Restore refuses it.
func (s *Store) Snapshot(ctx context.Context, w io.Writer, o SnapshotOptions) (SnapshotInfo, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	info, err := s.snapshot(ctx, w, o)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("snapshot of %s: %w", s.config.Name, err)
	}
	return info, nil
}

func (s *Store) snapshot(ctx context.Context, w io.Writer, o SnapshotOptions) (SnapshotInfo, error) {
	// What is only in memory may be dropped from there when it is removed: as little as possible of it is to be part
	// of the snapshot.
	if err := s.Flush(ctx); err != nil {
		return SnapshotInfo{}, err
	}
	f, err := s.freeze(ctx)
	if err != nil {
		return SnapshotInfo{}, err
	}
	defer f.pin.Release()
	if err := s.Flush(ctx); err != nil {
		return SnapshotInfo{}, err
	}
	x := &snapshot{store: s, frozen: f, options: o, ctx: ctx, out: archive.NewWriter(ctx, w, s.config.Name, s.runtime.clock())}
	if err := x.write(); err != nil {
		return SnapshotInfo{}, err
	}
	x.info.Size = x.out.Written()
	x.info.Catalog, x.info.LeftOut = x.out.Catalog()
	return x.info, nil
}

// snapshot is one snapshot that is being written.
type snapshot struct {
	store   *Store
	frozen  *frozen
	options SnapshotOptions
	ctx     context.Context
	out     *archive.Writer
	total   uint64 // messages that it is to hold
	info    SnapshotInfo

	// Memory that is used again from block to block.
	data, copied []byte
}

// write writes the archive.
func (x *snapshot) write() error {
	f := x.frozen
	x.info.FirstSequence, x.info.LastSequence = f.stream.FirstSequence, f.stream.LastSequence
	for i := range f.stream.Blocks {
		x.total += f.stream.Blocks[i].Messages
	}
	if x.options.Since != nil {
		if err := x.out.Increment(x.options.Since); err != nil {
			return err
		}
	}
	if err := x.out.Meta(f.meta, archive.Totals{Messages: x.total, Last: f.stream.LastSequence}); err != nil {
		return err
	}
	proof := x.proof()
	for i := range f.stream.Blocks {
		b := &f.stream.Blocks[i]
		if err := x.block(b, proof); err != nil {
			return err
		}
		f.pin.Pass(b.View.ID + 1)
		x.progress()
	}
	if proof > 0 && len(f.stream.Blocks) == 0 {
		if err := x.block(&engine.FrozenBlock{View: &engine.BlockView{ID: proof}}, proof); err != nil {
			return err
		}
	}
	if x.options.Consumers {
		if err := x.consumers(); err != nil {
			return err
		}
	}
	return x.out.Close()
}

func (x *snapshot) progress() {
	if x.options.Progress != nil {
		x.options.Progress(SnapshotProgress{x.info.Messages, x.total, x.out.Written()})
	}
}

// proof returns the number of the block that has to show what the last sequence is, since no live message does; 0
// when one does, or there is no last sequence.
func (x *snapshot) proof() uint32 {
	f := x.frozen.stream
	if f.LastSequence == 0 {
		return 0
	}
	for i := range f.Blocks {
		if f.Blocks[i].Live(f.LastSequence) {
			return 0
		}
	}
	if n := len(f.Blocks); n > 0 {
		return f.Blocks[n-1].View.ID
	}
	return 1
}

// block writes what was live in a block, and the last sequence if that is the one that shows it.
func (x *snapshot) block(b *engine.FrozenBlock, proof uint32) error {
	want := blockio.Extraction{Live: b.Live}
	if b.View.ID == proof {
		want.ProvesLast, want.LastTime = x.frozen.stream.LastSequence, x.frozen.stream.LastTime
	}
	if b.Messages == 0 {
		if want.ProvesLast == 0 {
			return nil
		}
		x.info.Blocks++
		codec := blockio.NewRecordCodec(x.store.config.Name, b.View.ID)
		only, _ := blockio.Extract("", b.View.ID, codec, nil, nil, want)
		return x.out.Block(b.View.ID, only.Data)
	}
	if err := x.check(); err != nil {
		return err
	}
	var copied blockio.Compacted
	err := error(nil)
	// A few at a time, of all streams together: each takes the memory of two blocks.
	x.store.runtime.readers.Build(func() { copied, err = x.extract(b, want) })
	if err == nil {
		err = x.check() // a store that has stopped leaves its files to others
	}
	if err != nil {
		return err
	}
	x.info.Blocks++
	x.info.Messages += b.Messages
	x.info.Bytes += uint64(copied.Bytes)
	return x.out.Block(b.View.ID, copied.Data)
}

// check returns an error when the snapshot is to end.
func (x *snapshot) check() error {
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	select {
	case <-x.store.gone:
		return ErrStopped
	default:
		return nil
	}
}

// extract makes the copy of a block: of the file that it had, of the one that was kept when it was removed, or else
// of one that has taken its place and may still have all that is wanted.
func (x *snapshot) extract(b *engine.FrozenBlock, want blockio.Extraction) (blockio.Compacted, error) {
	var errs []error
	for _, open := range x.ways(b) {
		copied, err := x.extractFrom(open, b, want)
		if err == nil || errors.Is(err, blockio.ErrCorrupt) {
			return copied, err
		}
		errs = append(errs, err)
	}
	for _, err := range errs {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, blockio.ErrSuperseded) && !errors.Is(err, ErrSnapshotStale) {
			return blockio.Compacted{}, err
		}
	}
	return blockio.Compacted{}, fmt.Errorf("%w: block %d: %w", ErrSnapshotStale, b.View.ID, errs[0])
}

// ways returns how the file of a block may be opened, in the order in which it is to be tried.
func (x *snapshot) ways(b *engine.FrozenBlock) [3]func() (*blockio.Block, error) {
	source := x.store.source.Blocks()
	ref := blockio.BlockRef{ID: b.View.ID, Generation: b.View.Generation}
	asItWas := func() (*blockio.Block, error) { return source.Lease(ref, blockio.LeaseOptions{}) }
	kept := func() (*blockio.Block, error) { return x.frozen.pin.Kept(ref) }
	asItIs := func() (*blockio.Block, error) { return source.Lease(source.Current(ref), blockio.LeaseOptions{}) }
	return [...]func() (*blockio.Block, error){asItWas, kept, asItIs}
}

// extractFrom makes the copy of a block from one of its files. It holds all that is wanted, or there is an error.
func (x *snapshot) extractFrom(open func() (*blockio.Block, error), b *engine.FrozenBlock, want blockio.Extraction) (blockio.Compacted, error) {
	block, err := open()
	if err != nil {
		return blockio.Compacted{}, err
	}
	defer block.Release()
	data, err := block.ReadAll(x.data)
	if err != nil {
		return blockio.Compacted{}, err
	}
	x.data = data[:0]
	copied, scan := blockio.Extract(block.Path(), b.View.ID, block.Codec(), data, x.copied, want)
	x.copied = copied.Data[:0]
	if uint64(copied.Messages) == b.Messages {
		return copied, nil
	}
	// The end of a block that takes records may just be being written, and what was overwritten may be half so.
	writing := b.View.Tail != nil && scan.LostEnd && scan.DamageCount == 1
	if scan.DamageCount > 0 && !writing && x.frozen.retired == x.store.source.Blocks().Retired() {
		return copied, scan.Damage[0]
	}
	return copied, fmt.Errorf("%w: %d of %d messages are there", ErrSnapshotStale, copied.Messages, b.Messages)
}
