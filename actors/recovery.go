package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// compressedHeader begins a block that nats-server has compressed.
const compressedHeader = "cmp"

// recovery brings an engine up from the files of a stream.
type recovery struct {
	log     *slog.Logger
	fs      blockio.FS
	blocks  *blockio.Blocks
	derived []string
	config  engine.Config
	pub     *engine.Published
	now     int64
	workers int // goroutines that scan
	// scanned, if not nil, is called when the blocks have turned out to be
	// readable, before the limits are applied.
	scanned func() error

	// The last block so far that holds anything, if it was not scanned as the one
	// that may be torn.
	exposed uint32

	// After a failure: where the log is to be cut, since what lies beyond may
	// exist in the page cache only; and the first and last sequence that readers
	// have seen.
	cut         *engine.Position
	first, last uint64
	// highest is the highest number that a block ever had: readers may still hold
	// files of blocks that were cut off, so none comes twice.
	highest uint32
}

// run scans the blocks, mends the tail, and returns an engine that serves.
func (r *recovery) run(ctx context.Context) (*engine.Engine, error) {
	list, err := r.blocks.List()
	if err != nil {
		return nil, err
	}
	if n := len(list); n > 0 {
		r.highest = max(r.highest, list[n-1].ID)
	}
	if r.cut != nil {
		if list, err = r.cutLog(list); err != nil {
			return nil, err
		}
	}
	// A block that a crashed process made may not be in the directory yet, as far
	// as the disk knows.
	if err := r.fs.SyncDir(r.blocks.Dir()); err != nil {
		return nil, err
	}
	rec := engine.NewRecovery(r.config, r.pub)
	rec.AtLeast(r.last)
	rec.RemoveBelow(r.first)
	if err := r.scanAll(ctx, list, rec); err != nil {
		return nil, err
	}
	if r.scanned != nil {
		if err := r.scanned(); err != nil {
			return nil, err
		}
	}
	if r.cut != nil {
		rec.NextBlockAfter(r.highest)
	}
	if empty := rec.EmptyBlocks(); len(empty) > 0 {
		if err := r.blocks.Remove(empty...); err != nil {
			return nil, err
		}
	}
	if n, err := r.blocks.RemoveOrphans(); err != nil {
		r.log.Warn("cannot remove what is left of block indexes", "error", err)
	} else if n > 0 {
		r.log.Info("removed what was left of block indexes", "files", n)
	}
	e := rec.Finish(r.now)
	return e, r.open(ctx, e)
}

// cutLog removes from the files what was not known to be safe when a write or a
// sync failed.
func (r *recovery) cutLog(list []blockio.BlockInfo) ([]blockio.BlockInfo, error) {
	for n := len(list); n > 0 && list[n-1].ID > r.cut.Block; n-- {
		r.setAside(list[n-1].ID, 0, list[n-1].Size)
		if err := r.blocks.Remove(list[n-1].ID); err != nil {
			return nil, err
		}
		list = list[:n-1]
	}
	if n := len(list); n > 0 && list[n-1].ID == r.cut.Block && list[n-1].Size > r.cut.Offset {
		r.setAside(r.cut.Block, r.cut.Offset, list[n-1].Size)
		if err := r.blocks.Truncate(r.cut.Block, r.cut.Offset); err != nil {
			return nil, err
		}
		list[n-1].Size = r.cut.Offset
	}
	return list, nil
}

// setAside keeps what is about to be cut off. The way back from a full disk must
// not depend on it.
func (r *recovery) setAside(id uint32, from, to int64) {
	if from == to {
		return
	}
	if err := r.blocks.SetAside(id, from, to); err != nil {
		r.log.Warn("cannot set aside what is cut off", "path", r.blocks.Path(id), "offset", from, "error", err)
	}
}

// scanned is the scan of one block, or why there is none.
type scanned struct {
	scan    *engine.Scan
	found   blockio.BlockScan
	indexed bool // by its index alone
	err     error
}

// progressAfter is how long a recovery may take until it reports progress, and
// the distance of its reports.
const progressAfter = 2 * time.Second

// scanAll scans blocks on several goroutines, and hands them to the engine in
// order.
func (r *recovery) scanAll(ctx context.Context, list []blockio.BlockInfo, rec *engine.Recovery) error {
	tail := -1 // the block that may be torn: the last one with content
	for i, b := range list {
		if b.Size > 0 {
			tail = i
		}
	}
	workers := min(r.workers, len(list))
	if workers <= 1 {
		return r.scanInline(ctx, list, tail, rec)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	results := make([]chan scanned, len(list))
	for i := range results {
		results[i] = make(chan scanned, 1)
	}
	// Tokens keep the scans from running far ahead of the engine.
	tokens := make(chan struct{}, 2*workers)
	next := make(chan int)
	running.Go(func() {
		defer close(next)
		for i := range list {
			select {
			case tokens <- struct{}{}:
				next <- i
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		running.Go(func() {
			var buffer []byte
			for i := range next {
				var s scanned
				buffer, s = r.scan(list[i].ID, i == tail, i == len(list)-1, buffer)
				results[i] <- s
			}
		})
	}
	report := r.progress(len(list))
	for i := range list {
		select {
		case s := <-results[i]:
			<-tokens
			if s.err != nil {
				return s.err
			}
			if err := r.mend(list[i].ID, i == tail, i == len(list)-1, s); err != nil {
				return err
			}
			if err := r.add(rec, list[i].ID, s); err != nil {
				return err
			}
			report(i + 1)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// scanInline is scanAll without goroutines.
func (r *recovery) scanInline(ctx context.Context, list []blockio.BlockInfo, tail int, rec *engine.Recovery) error {
	report := r.progress(len(list))
	var buffer []byte
	for i, b := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var s scanned
		last := i == len(list)-1
		if buffer, s = r.scan(b.ID, i == tail, last, buffer); s.err != nil {
			return s.err
		}
		if err := r.mend(b.ID, i == tail, last, s); err != nil {
			return err
		}
		if err := r.add(rec, b.ID, s); err != nil {
			return err
		}
		report(i + 1)
	}
	return nil
}

// progress returns a function that logs how far a long recovery has come.
func (r *recovery) progress(all int) func(done int) {
	start := time.Now()
	last := start
	return func(done int) {
		if now := time.Now(); now.Sub(last) >= progressAfter || done == all && last != start {
			last = now
			r.log.Info("recovering", "blocks", done, "of", all, "elapsed", now.Sub(start))
		}
	}
}

// add hands the scan of a block to the engine. One that does not go on where the block
// before it ended is looked at record by record.
func (r *recovery) add(rec *engine.Recovery, id uint32, s scanned) error {
	if s.indexed && !rec.Fits(s.scan) {
		if _, s = r.scanRecords(id, false, false, nil); s.err != nil {
			return s.err
		}
	}
	rec.Add(s.scan)
	return nil
}

// scan looks at the index of a block, or reads and scans the block and makes sure that what it found is on
// stable storage: a store that crashed may have left it in the page cache.
func (r *recovery) scan(id uint32, tail, last bool, buffer []byte) ([]byte, scanned) {
	if !tail && !last {
		// A block gets its index when it is on stable storage.
		scan, found, err := scanIndexed(r.fs, r.blocks, id)
		if err == nil {
			return buffer, scanned{scan: scan, found: found, indexed: true}
		}
		if err != errNoIndex {
			r.log.Warn("a block index is not to be used; the block is read", "path", r.blocks.Path(id), "error", err)
		}
	}
	return r.scanRecords(id, tail, last, buffer)
}

func (r *recovery) scanRecords(id uint32, tail, last bool, buffer []byte) ([]byte, scanned) {
	data, err := r.blocks.ReadAll(id, buffer)
	if err != nil {
		return buffer, scanned{err: err}
	}
	if len(data) > len(compressedHeader) && string(data[:len(compressedHeader)]) == compressedHeader {
		return data, scanned{err: fmt.Errorf("%w: block %s is compressed", ErrUnsupported, r.blocks.Path(id))}
	}
	scan, found := scanBlock(r.blocks, id, data, tail, last && r.cut == nil)
	err = r.syncFile(r.blocks.Path(id))
	return data, scanned{scan: scan, found: found, err: err}
}

func (r *recovery) syncFile(path string) error {
	f, err := r.fs.OpenFile(path, blockio.ModeReadWrite)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mend reports damage, cuts off a torn tail, and opens the block that takes the
// next records.
func (r *recovery) mend(id uint32, tail, last bool, s scanned) error {
	for _, d := range s.found.Damage {
		r.log.Error("damaged record", "error", d, "block", d.Block, "offset", d.Offset, "sequence", d.Sequence)
	}
	if n := s.found.DamageCount; n > 0 {
		r.log.Error("block is damaged", "path", r.blocks.Path(id),
			"stretches", n, "bytes", s.found.LostBytes, "sequences", len(s.found.Lost))
	}
	if s.found.CutTo > s.found.CutFrom {
		r.log.Info("cutting off a torn tail", "path", r.blocks.Path(id),
			"offset", s.found.CutFrom, "bytes", s.found.CutTo-s.found.CutFrom)
		if err := r.blocks.SetAside(id, s.found.CutFrom, s.found.CutTo); err != nil {
			return err
		}
		if err := r.blocks.Truncate(id, s.found.End); err != nil {
			return err
		}
	}
	switch {
	case tail && s.found.End > 0:
		r.exposed = 0
	case s.found.End > 0:
		r.exposed = id
	case last && r.exposed != 0:
		torn, err := r.looksTorn(r.exposed)
		if err != nil {
			return err
		}
		if torn {
			s.found.Settle = true
			s.scan.Finish(0, false, nil, 0)
		}
	}
	if s.found.Settle {
		return r.settle(id, s.found.End)
	}
	if last && r.cut == nil && appendable(&s.found) {
		return r.blocks.OpenTail(id, s.found.End)
	}
	return nil
}

// looksTorn reports whether a block would be cut if it were the last one with
// anything in it, as it will be for the next recovery: nothing is left of the
// blocks after it.
func (r *recovery) looksTorn(id uint32) (bool, error) {
	data, err := r.blocks.ReadAll(id, nil)
	if err != nil {
		return false, err
	}
	_, found := scanBlock(r.blocks, id, data, true, false)
	return found.Torn, nil
}

// settle marks the end of a block whose torn tail was cut but whose damage would
// look torn, too, from now on.
func (r *recovery) settle(id uint32, end int64) error {
	mark := make([]byte, blockio.EmptyRecordSize)
	r.blocks.Codec(id).PutGroupMark(mark, 0, 0)
	if err := r.blocks.OpenTail(id, end); err != nil {
		return err
	}
	if err := r.blocks.Append(id, end, [][]byte{mark}, true); err != nil {
		return err
	}
	return r.blocks.Seal(id, end+int64(len(mark)))
}

// open does what the engine still asks for before it serves: it applies
// deletions and limits.
func (r *recovery) open(ctx context.Context, e *engine.Engine) error {
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		ready := e.Ready()
		if ready.Commit == nil && len(ready.Maintenance) == 0 && !e.Opening() {
			return nil
		}
		work := ready.Maintenance
		if c := ready.Commit; c != nil {
			err := runCommit(r.blocks, r.derived, c)
			e.Done(engine.Done{ID: c.ID, Err: err})
			if err != nil {
				return err
			}
		}
		for _, w := range work {
			done := runWork(r.log, r.fs, r.blocks, w)
			e.Done(done)
			switch {
			case done.Err == nil:
			case w.Kind == engine.WorkRemove:
				r.log.Error("cannot remove a block; it will be tried again", "path", r.blocks.Path(w.Block), "error", done.Err)
			default:
				return done.Err
			}
		}
	}
}
