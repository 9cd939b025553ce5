package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// scanRows are the rows that read everything.
func scanRows() []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	return []row{{
		name: "scan", title: "full scan, warm",
		contestants: each(list, func(p peers.Peer) contestant { return &scanning{peer: p} }),
		targets:     []target{{against: "nats async", figure: rateFigure, bound: 2}},
	}}
}

// scanning scans one store again and again. It is filled, and scanned once unmeasured, before the
// first run.
type scanning struct {
	peer   peers.Peer
	store  peers.ScanStore
	remove func() error
}

func (s *scanning) name() string { return s.peer.Name }

func (s *scanning) run(ctx context.Context, place workplace) (measure.Run, error) {
	if s.store == nil {
		if err := s.prepare(ctx, place); err != nil {
			return measure.Run{}, err
		}
	}
	place.settle()
	return measure.Measure(func() (int64, *measure.Histogram, error) {
		return s.scan(ctx, place)
	})
}

func (s *scanning) prepare(ctx context.Context, place workplace) error {
	dir, remove, err := place.freshDir()
	if err != nil {
		return err
	}
	s.remove = remove
	if s.store, err = peers.OpenAs[peers.ScanStore](s.peer, dir); err != nil {
		return err
	}
	if err := fill(ctx, s.store, place.size.scanMessages); err != nil {
		return err
	}
	_, _, err = s.scan(ctx, place)
	return err
}

func (s *scanning) scan(ctx context.Context, place workplace) (int64, *measure.Histogram, error) {
	messages, size, err := s.store.Scan(ctx)
	if err != nil {
		return 0, nil, err
	}
	if messages != place.size.scanMessages || size != int64(messages)*payloadBytes {
		return 0, nil, fmt.Errorf("%s: the scan found %d messages with %d bytes", s.peer.Name, messages, size)
	}
	return int64(messages), nil, nil
}

func (s *scanning) close() error {
	var closed, removed error
	if s.store != nil {
		closed = s.store.Close()
	}
	if s.remove != nil {
		removed = s.remove()
	}
	return errors.Join(closed, removed)
}
