package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	firstStore = "first p50"
	firstOver  = "first over later"
	// laterStores is how many messages of each new stream are stored after the first.
	laterStores = 20
)

// firstRows are the rows about a stream that is new.
func firstRows() []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	return []row{{
		name: "first-store", title: "store in a new stream, no sync: the first message beside later ones",
		contestants: each(list, func(p peers.Peer) contestant { return &storingFirst{peer: p} }),
		targets:     []target{{against: millraceName, figure: extraFigure, extra: firstOver, unit: measure.Times, bound: 10}},
	}}
}

// storingFirst opens stream after stream and stores a few messages in each, waiting for each.
type storingFirst struct{ peer peers.Peer }

func (s *storingFirst) name() string { return s.peer.Name }
func (s *storingFirst) close() error { return nil }

func (s *storingFirst) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	place.settle()
	var first measure.Histogram
	run, err = measure.Measure(func() (stored int64, later *measure.Histogram, err error) {
		later = new(measure.Histogram)
		for i := range place.size.firstStreams {
			own := filepath.Join(dir, strconv.Itoa(i))
			if err := os.Mkdir(own, 0o755); err != nil {
				return stored, later, err
			}
			if err := s.one(ctx, own, &first, later); err != nil {
				return stored, later, err
			}
			stored += 1 + laterStores
		}
		return stored, later, nil
	})
	p50 := first.Quantile(0.5)
	run.Extras = []measure.Extra{
		{Name: firstStore, Value: float64(p50) / 1e3, Unit: measure.Microseconds},
		{Name: firstOver, Value: divide(float64(p50), float64(run.P50)), Unit: measure.Times},
	}
	return run, err
}

// one stores in one new stream.
func (s *storingFirst) one(ctx context.Context, dir string, first, later *measure.Histogram) (err error) {
	store, err := s.peer.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	messages := newSource(0)
	for i := range 1 + laterStores {
		before := time.Now()
		if err := store.Append(ctx, messages.message()); err != nil {
			return err
		}
		if took := time.Since(before); i == 0 {
			first.Record(took)
		} else {
			later.Record(took)
		}
	}
	return nil
}
