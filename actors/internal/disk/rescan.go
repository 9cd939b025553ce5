package disk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// ErrUnsupported: the directory uses a feature that this version cannot handle. Nothing was changed.
var ErrUnsupported = errors.New("this version cannot serve it")

// scanned is the scan of one block, or why there is none.
type scanned struct {
	scan    *engine.Scan
	found   blockio.BlockScan
	size    int64 // of the block's bytes, if they were read
	indexed bool  // taken from the index alone
	// compressed tells that the file of the block is.
	compressed bool
	// lacksZeros: see blockio.Blocks.WriteLostZeros.
	lacksZeros bool
	losses     []engine.Loss
	lacked     []missing
	err        error
}

// progressAfter is how long a recovery may take before it reports progress, and the time between its
// reports.
const progressAfter = 2 * time.Second

// scanAll scans blocks on several goroutines, and hands them to the engine in
// order.
func (r *Recovery) scanAll(ctx context.Context, list []blockio.BlockInfo, rec *engine.Recovery) error {
	tail := -1 // the block that may be torn: the last one with content
	for i, b := range list {
		if b.Size > 0 {
			tail = i
		}
	}
	if _, encrypted := blockio.SealerOf(r.FS); encrypted {
		r.sealTail = !r.wasStopped(list)
	}
	if r.endsAsProven(list, tail) {
		tail = -1
	}
	workers := min(r.Scanners, len(list))
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
	// Tokens keep the scans, which hold memory, from running far ahead of the engine.
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
			if err := r.take(rec, list[i].ID, i == tail, i == len(list)-1, s); err != nil {
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
func (r *Recovery) scanInline(ctx context.Context, list []blockio.BlockInfo, tail int, rec *engine.Recovery) error {
	report := r.progress(len(list))
	var buffer []byte
	for i, b := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var s scanned
		last := i == len(list)-1
		buffer, s = r.scan(b.ID, i == tail, last, buffer)
		if err := r.take(rec, b.ID, i == tail, last, s); err != nil {
			return err
		}
		report(i + 1)
	}
	return nil
}

// take mends a block that was scanned, and hands it to the engine.
func (r *Recovery) take(rec *engine.Recovery, id uint32, tail, last bool, s scanned) error {
	if s.err == nil && last {
		s = r.expand(id, tail, s)
	}
	if s.err != nil {
		return s.err
	}
	s = r.mendUntilSettled(id, tail, last, s)
	if s.err != nil {
		return s.err
	}
	return r.add(rec, id, s)
}

// expand makes the last block plain again if it is compressed, and returns its scan anew. Nobody leaves one like that, but a
// copy of a directory in which somebody writes may be without the blocks behind it, and a nats-server appends to its
// last block as if it was plain. A damaged one stays as it is.
func (r *Recovery) expand(id uint32, tail bool, s scanned) scanned {
	if !s.compressed || s.found.DamageCount > 0 || s.found.Unreadable > 0 || r.After != nil {
		return s
	}
	data, unreadable, err := r.readAll(id, nil)
	if err == nil && len(unreadable) > 0 {
		return s
	}
	if err == nil {
		err = r.mending(id)
	}
	if err == nil {
		err = r.change(id, func() error { return r.Blocks.Rewrite(id, r.Generation, data, r.Derived...) })
	}
	if err != nil {
		return scanned{err: err}
	}
	r.Log.Info("the last block was compressed, and is plain again: those behind it are missing", "path", r.Blocks.Path(id))
	_, s = r.scanRecords(id, tail, true, nil)
	return s
}

// progress returns a function that logs how far a long recovery has come.
func (r *Recovery) progress(all int) func(done int) {
	start := time.Now()
	last := start
	return func(done int) {
		if now := time.Now(); now.Sub(last) >= progressAfter || done == all && last != start {
			last = now
			r.Log.Info("recovering", "blocks", done, "of", all, "elapsed", now.Sub(start))
		}
	}
}

// add hands the scan of a block to the engine. Where sequences go back behind the block before, the
// engine has to drop records, so the block is scanned record by record even if it has an index.
func (r *Recovery) add(rec *engine.Recovery, id uint32, s scanned) error {
	if s.indexed && !rec.Fits(s.scan) {
		if _, s = r.scanRecords(id, false, false, nil); s.err != nil {
			return s.err
		}
	}
	if s.scan.Messages() == 0 && (len(s.lacked) > 0 || s.found.Unreadable > 0 || r.wasToldOf(id)) {
		s.scan.Held()
	}
	if s.found.Unreadable > 0 {
		if r.unreadable == nil {
			r.unreadable = make(map[uint32]bool)
		}
		r.unreadable[id] = true
		head := s.found.UnnamedHead
		if r.ServerWasHere {
			head = 0 // it may have removed what was there
		}
		s.scan.Unreadable(head, s.found.Unnamed)
	}
	if s.found.Unnamed > 0 {
		r.unshown = id
	}
	if s.scan.NamesLess() {
		if r.buried == nil {
			r.buried = make(map[uint32]bool)
		}
		r.buried[id] = true
	}
	rec.Add(s.scan)
	r.losses = append(r.losses, s.losses...)
	r.evidence.missing = append(r.evidence.missing, s.lacked...)
	return nil
}

// scan takes what a block holds from its index. Without one it reads and scans the block, and syncs it:
// a store that crashed may have left what was found in the page cache. The buffer that it returns may
// be used for the next block.
func (r *Recovery) scan(id uint32, tail, last bool, buffer []byte) ([]byte, scanned) {
	if s, known := r.Intended.scanOf(id); known {
		return buffer, s
	}
	if !tail && !last {
		// A block gets its index when it is on stable storage, so it need not be synced here.
		s, err := r.scanFromIndex(id)
		if err == nil {
			return buffer, s
		}
		r.warnOfIndex(id, err)
	}
	data, s := r.scanRecords(id, tail, last, buffer)
	if s.err == nil && r.After == nil {
		var err error
		if s.lacked, err = r.lackedBy(id, data, s.scan); err != nil {
			r.Log.Warn("cannot read an index, which may show a loss", "path", r.Blocks.Path(id), "error", err)
		}
	}
	return data, s
}

// scanRecords reads, scans and syncs a block.
func (r *Recovery) scanRecords(id uint32, tail, last bool, buffer []byte) ([]byte, scanned) {
	data, unreadable, compressed, err := r.readBlock(id, buffer)
	if errors.Is(err, blockio.ErrCompressed) {
		err = fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err != nil {
		return buffer, scanned{err: err}
	}
	if compressed { // nobody appends to it, so that it cannot be torn
		tail, last = false, false
	}
	scan, found := r.scanAround(id, data, unreadable, tail, last && r.After == nil)
	if compressed {
		scan.Compressed()
	}
	lacks := false
	if !compressed && len(unreadable) == 0 {
		if lacks, err = r.Blocks.LacksZeros(id, data); err != nil {
			return data, scanned{err: err}
		}
	}
	if r.Intended == nil { // else all of it is durable
		err = r.syncFile(r.Blocks.Path(id))
	}
	return data, scanned{scan: scan, found: found, size: int64(len(data)), compressed: compressed, lacksZeros: lacks, err: err}
}

func (r *Recovery) syncFile(path string) error {
	f, err := r.FS.OpenFile(path, blockio.ModeReadWrite)
	if err != nil {
		return err
	}
	return errors.Join(blockio.SyncFile(f), f.Close())
}
