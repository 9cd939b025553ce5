package main

import (
	"context"
	"errors"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// batchSize is how many messages a batch has in the rows with batches.
const batchSize = 100

// durableRows are the rows in which every message is on disk before it is acknowledged.
func durableRows() []row {
	// Millrace overwrites zeros with small groups and appends large ones, so that the bare log to
	// compare it with differs.
	bareSmall, bareLarge := peers.BareLog(peers.Prezero).Name, peers.BareLog(peers.Grow).Name
	everyone := []peers.Peer{
		peers.BareLog(peers.Grow), peers.BareLog(peers.Prezero), peers.NATS(peers.NATSSyncAlways),
		peers.Pebble(), peers.RaftWAL(), peers.Tidwall(), peers.Millrace(peers.Durable),
	}
	batchers := []peers.Peer{
		peers.BareLog(peers.Grow), peers.BareLog(peers.Prezero),
		peers.Pebble(), peers.RaftWAL(), peers.Tidwall(), peers.Millrace(peers.Durable),
	}
	manyBatchers := []peers.Peer{
		peers.BareLog(peers.Grow), peers.BareLog(peers.Prezero), peers.Pebble(), peers.Millrace(peers.Durable),
	}
	return []row{
		{
			name: "durable-1", title: "durable, 1 writer",
			contestants: each(everyone, func(p peers.Peer) contestant { return &storing{peer: p, callers: 1} }),
			targets: []target{
				{against: bareSmall, figure: p50Figure, bound: 1.05},
				{against: "raft-wal", figure: rateFigure, bound: 1},
				{against: "nats sync-always", figure: rateFigure, bound: 1.3},
			},
		},
		{
			name: "durable-64", title: "durable, 64 writers",
			contestants: each(everyone, func(p peers.Peer) contestant { return &storing{peer: p, callers: 64} }),
			targets: []target{
				{against: "nats sync-always", figure: rateFigure, bound: 20},
				{against: "pebble", figure: rateFigure, bound: 1.5},
				{against: "pebble", figure: p99Figure, bound: 1},
			},
		},
		{
			name: "durable-1024", title: "durable, 1,024 writers",
			contestants: each(everyone, func(p peers.Peer) contestant {
				return &storing{peer: p, callers: 1024, sampleEvery: 4}
			}),
			targets: []target{
				{against: "nats sync-always", figure: rateFigure, bound: 100},
				{against: bareLarge, figure: rateFigure, bound: 0.8},
				{against: "pebble", figure: rateFigure, bound: 1.5},
				{against: "pebble", figure: p99Figure, bound: 1},
			},
		},
		{
			name: "durable-batch-1", title: "durable, 1 caller, batches of 100",
			contestants: each(batchers, func(p peers.Peer) contestant { return &batching{peer: p, callers: 1} }),
			targets: []target{
				{against: "pebble", figure: rateFigure, bound: 1},
				{against: "pebble", figure: p99Figure, bound: 1},
			},
		},
		{
			name: "durable-batch-64", title: "durable, 64 callers, batches of 100",
			contestants: each(manyBatchers, func(p peers.Peer) contestant { return &batching{peer: p, callers: 64} }),
			targets:     []target{{against: bareLarge, figure: rateFigure, bound: 0.8}},
		},
	}
}

func each(list []peers.Peer, enter func(peers.Peer) contestant) []contestant {
	var contestants []contestant
	for _, peer := range list {
		if peer.Open != nil {
			contestants = append(contestants, enter(peer))
		}
	}
	return contestants
}

// storing is a number of callers that store one message after the other.
type storing struct {
	peer        peers.Peer
	callers     int
	sampleEvery int // 0: every operation
}

func (s *storing) name() string { return s.peer.Name }
func (s *storing) close() error { return nil }

func (s *storing) run(ctx context.Context, place workplace) (measure.Run, error) {
	return onStore(place, s.peer, func(store peers.Store) (int64, *measure.Histogram, error) {
		callers := load{callers: s.callers, duration: place.size.storing,
			sampleEvery: max(s.sampleEvery, 1), messagesEach: 1}
		return callers.run(ctx, func(ctx context.Context, messages *source) error {
			return store.Append(ctx, messages.message())
		})
	})
}

// batching is a number of callers that store one batch after the other.
type batching struct {
	peer    peers.Peer
	callers int
}

func (b *batching) name() string { return b.peer.Name }
func (b *batching) close() error { return nil }

func (b *batching) run(ctx context.Context, place workplace) (measure.Run, error) {
	return onStore(place, b.peer, func(store peers.BatchStore) (int64, *measure.Histogram, error) {
		callers := load{callers: b.callers, duration: place.size.storing, sampleEvery: 1, messagesEach: batchSize}
		return callers.run(ctx, func(ctx context.Context, messages *source) error {
			if messages.batch == nil {
				messages.batch = make([]peers.Message, batchSize)
			}
			for i := range messages.batch {
				messages.batch[i] = messages.message()
			}
			return store.AppendBatch(ctx, messages.batch)
		})
	})
}

// onStore opens a fresh store, measures the work on it, closes and removes it. Opening and closing
// are not counted.
func onStore[T peers.Store](place workplace, peer peers.Peer,
	work func(T) (int64, *measure.Histogram, error)) (measure.Run, error) {
	return withStore(place, peer, func(store T) (measure.Run, error) {
		place.settle()
		return measure.Measure(func() (int64, *measure.Histogram, error) { return work(store) })
	})
}

// withStore opens a fresh store for work that measures itself, closes and removes it.
func withStore[T peers.Store](place workplace, peer peers.Peer,
	work func(T) (measure.Run, error)) (run measure.Run, err error) {
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	store, err := peers.OpenAs[T](peer, dir)
	if err != nil {
		return run, err
	}
	run, err = work(store)
	return run, errors.Join(err, store.Close())
}
