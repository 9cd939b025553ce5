package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	// compactedBlocks is into how many blocks the messages go of which two thirds are removed.
	compactedBlocks = 40
	// compactionWait is how long they have for being rewritten.
	compactionWait = time.Minute
)

// appendingCompacted has one caller that appends, first alone, and then while the blocks are rewritten of which two
// thirds were removed just before. nats-server does that inside the removals, so it has no part in this.
type appendingCompacted struct{}

func (a *appendingCompacted) name() string { return millraceName }
func (a *appendingCompacted) close() error { return nil }

func (a *appendingCompacted) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	shape := ordersShape(place.size.purgeMessages, 3)
	recordBytes := recordOverhead + len(shape.subject(0)) + payloadBytes
	peer := peers.MillraceBlocks(peers.Buffered, min(8<<20, int64(shape.messages*recordBytes/compactedBlocks)))
	store, err := peers.OpenAs[peers.RemovalStore](peer, dir)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := shape.fill(ctx, store); err != nil {
		return run, err
	}
	before, err := blockSizes(peer.StreamDir(dir))
	if err != nil {
		return run, err
	}
	place.settle()
	writer := appends(ctx, store)
	writer.sampleEvery = 1
	alone, err := runCrew(place.size.reading, []hand{writer})
	if err != nil {
		return run, err
	}
	for _, number := range []int{1, 2} {
		if _, err := store.PurgeSubject(ctx, orderSubject(number)); err != nil {
			return run, err
		}
	}
	var beside tally
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		rewriting := startBackground(1, func(_ int, over *atomic.Bool) error { return before.awaitRewritten(over) })
		var over atomic.Bool
		go func() { _ = rewriting.wait(); over.Store(true) }()
		beside, err = writer.work(&over)
		return beside.steps, beside.latencies, errors.Join(err, rewriting.stop())
	})
	if err != nil {
		return run, err
	}
	run.Extras = overIdle(beside.latencies, alone[0].latencies)
	return run, nil
}

// sizes are those of files, by their paths.
type sizes map[string]int64

// blockSizes returns the sizes of the blocks of a stream.
func blockSizes(streamDir string) (sizes, error) {
	all := make(sizes)
	paths, err := filepath.Glob(filepath.Join(streamDir, "msgs", "*.blk"))
	for _, path := range paths {
		info, statErr := os.Stat(path)
		if statErr != nil {
			return nil, statErr
		}
		all[path] = info.Size()
	}
	return all, err
}

// awaitRewritten waits until nearly all of the blocks are smaller by more than a half, or it is over.
func (s sizes) awaitRewritten(over *atomic.Bool) error {
	for start := time.Now(); !over.Load(); time.Sleep(5 * time.Millisecond) {
		left := 0
		for path, before := range s {
			if info, err := os.Stat(path); err == nil && info.Size() > before/2 {
				left++
			}
		}
		if left <= 2 { // the last one takes what is appended
			return nil
		}
		if time.Since(start) > compactionWait {
			return fmt.Errorf("%d of %d blocks are as they were after %v", left, len(s), compactionWait)
		}
	}
	return nil
}
