package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// throughput is how the table calls the bytes of records that a snapshot saves, or a restore brings back, in a second.
const throughput = "records"

// snapshotted is a store that makes snapshots, and what makes a store of one.
type snapshotted struct {
	peer    peers.Peer
	restore func(ctx context.Context, dir string, snapshot *bytes.Reader) error
	called  string
}

// snapshotRows are the rows about a stream in one file.
func snapshotRows() []row {
	theirs := peers.NATS(peers.NATSDefault).Name
	both := []snapshotted{
		{peers.NATSKept(peers.NATSDefault, peers.KeptPlain), func(ctx context.Context, dir string, r *bytes.Reader) error {
			return peers.NATSRestore(ctx, dir, r)
		}, theirs},
		{peers.MillraceKept(peers.Buffered, peers.KeptPlain), func(ctx context.Context, dir string, r *bytes.Reader) error {
			return peers.MillraceRestore(ctx, dir, r)
		}, millraceName},
	}
	var writing, restoring []contestant
	for _, s := range both {
		writing = append(writing, &snapshotting{s})
		restoring = append(restoring, &restoringOne{snapshotted: s})
	}
	return []row{
		{
			name: "snapshot-write", title: "snapshot of text, verified, beside one caller that appends (p50 and p99 are its own)",
			contestants: writing,
			targets: []target{
				{against: theirs, figure: extraFigure, extra: throughput, unit: measure.MiBPerSecond, bound: 1, atLeast: true},
				{against: theirs, figure: p99Figure, bound: 1},
			},
		},
		{
			name: "snapshot-restore", title: "restore of text, and open", contestants: restoring,
			targets: []target{{against: theirs, figure: extraFigure, extra: throughput, unit: measure.MiBPerSecond, bound: 0.5, atLeast: true}},
		},
	}
}

// recordsIn is how many bytes the records of a shape have, in MiB.
func recordsIn(all shape) float64 {
	return float64(all.messages*(fullPayload+recordOverhead+len(fullSubject(0)))) / (1 << 20)
}

func perSecond(mebibytes float64, elapsed time.Duration) []measure.Extra {
	return []measure.Extra{{Name: throughput, Value: divide(mebibytes, elapsed.Seconds()), Unit: measure.MiBPerSecond}}
}

// counted drops what is written to it.
type counted struct{ bytes int64 }

func (c *counted) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// snapshotting writes a snapshot that nobody keeps, while one caller appends.
type snapshotting struct{ snapshotted }

func (s *snapshotting) name() string { return s.called }
func (s *snapshotting) close() error { return nil }

func (s *snapshotting) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	all := keptShape(place.size)
	run, err = withStore(place, s.peer, func(store peers.SnapshotStore) (run measure.Run, err error) {
		if err := all.fill(ctx, store); err != nil {
			return run, err
		}
		place.settle()
		writer := hand{sampleEvery: 1, step: appendNext(ctx, store, all)}
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			var over atomic.Bool
			var beside tally
			appending := startBackground(1, func(int, *atomic.Bool) (err error) {
				beside, err = writer.work(&over)
				return err
			})
			var written counted
			err := store.Snapshot(ctx, &written)
			over.Store(true)
			if err = errors.Join(err, appending.wait()); err == nil && written.bytes < 1024 {
				err = fmt.Errorf("a snapshot of %d bytes", written.bytes)
			}
			return int64(all.messages), beside.latencies, err
		})
	})
	run.Extras = perSecond(recordsIn(all), run.Elapsed)
	return run, err
}

// restoringOne makes a stream of a snapshot that is in memory, and opens it. The snapshot is made at the first run.
type restoringOne struct {
	snapshotted
	snapshot []byte
}

func (r *restoringOne) name() string { return r.called }
func (r *restoringOne) close() error { return nil }

func (r *restoringOne) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	all := keptShape(place.size)
	if r.snapshot == nil {
		if err := r.save(ctx, place, all); err != nil {
			return run, err
		}
	}
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	place.settle()
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		if err := r.restore(ctx, dir, bytes.NewReader(r.snapshot)); err != nil {
			return 0, nil, err
		}
		store, err := peers.OpenAs[peers.QueryStore](r.peer, dir)
		if err != nil {
			return 0, nil, err
		}
		_, last, err := store.Range(ctx)
		if err == nil && last != uint64(all.messages) {
			err = fmt.Errorf("the last of %d messages is %d", all.messages, last)
		}
		return int64(all.messages), nil, errors.Join(err, store.Close())
	})
	run.Extras = perSecond(recordsIn(all), run.Elapsed)
	return run, err
}

// save makes the snapshot.
func (r *restoringOne) save(ctx context.Context, place workplace, all shape) error {
	var snapshot bytes.Buffer
	_, err := withStore(place, r.peer, func(store peers.SnapshotStore) (measure.Run, error) {
		return measure.Run{}, errors.Join(all.fill(ctx, store), store.Snapshot(ctx, &snapshot))
	})
	r.snapshot = snapshot.Bytes()
	return err
}
