package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// bufferedSampleEvery is how often the rows without sync take a latency: two readings of the clock
// cost as much as a tenth of an operation there.
const bufferedSampleEvery = 8

// bufferedRows are the rows in which nothing waits for the disk.
func bufferedRows() []row {
	list := []peers.Peer{
		peers.NATS(peers.NATSDefault), peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered),
	}
	return []row{
		{
			name: "nosync-pipelined", title: "no sync, 1 caller, pipelined",
			contestants: each(list, func(p peers.Peer) contestant { return &pipelining{peer: p} }),
			targets: []target{
				{against: "nats async", figure: rateFigure, bound: 2},
				{against: millraceName, figure: allocsFigure, bound: 2},
			},
		},
		{
			name: "nosync-64", title: "no sync, 64 callers, one message each",
			contestants: each(list, func(p peers.Peer) contestant {
				return &storing{peer: p, callers: 64, sampleEvery: bufferedSampleEvery}
			}),
			targets: []target{
				{against: "nats async", figure: rateFigure, bound: 1.5},
				{against: "nats async", figure: p99Figure, bound: 1},
			},
		},
	}
}

// pipelining is one caller that does not wait for each message. The time includes the wait for the
// last acknowledgement.
type pipelining struct {
	peer peers.Peer
}

func (p *pipelining) name() string { return p.peer.Name }
func (p *pipelining) close() error { return nil }

func (p *pipelining) run(ctx context.Context, place workplace) (measure.Run, error) {
	return onStore(place, p.peer, func(store peers.PipelineStore) (int64, *measure.Histogram, error) {
		ctx := context.WithoutCancel(ctx) // as in load.run
		var over atomic.Bool
		stop := time.AfterFunc(place.size.storing, func() { over.Store(true) })
		defer stop.Stop()
		messages, pipeline := newSource(0), store.Pipeline()
		var count int64
		for count == 0 || !over.Load() {
			if err := pipeline.Submit(ctx, messages.message()); err != nil {
				return count, nil, err
			}
			count++
		}
		return count, nil, pipeline.Drain(ctx)
	})
}
