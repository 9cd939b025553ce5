package main

import (
	"context"
	"fmt"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// scanSubjects is on how many subjects the messages are that are scanned.
const scanSubjects = subjectCount

// scanRows are the rows that read everything.
func scanRows() []row {
	theirs := peers.NATS(peers.NATSAsync)
	list := []peers.Peer{theirs, peers.Millrace(peers.Buffered)}
	scans := func(name, title string, before scanBefore) row {
		return row{
			name: name, title: title,
			contestants: each(list, func(p peers.Peer) contestant { return &scanning{peer: p, before: before} }),
			targets:     []target{{against: theirs.Name, figure: rateFigure, bound: 2}},
		}
	}
	rows := []row{
		scans("scan", "full scan, warm", scannedBefore),
		scans("scan-opened", "full scan, first after opening", openedBefore),
	}
	if canDropPages {
		rows = append(rows, scans("scan-dropped", "full scan, first after opening, page cache dropped", droppedBefore))
	}
	return rows
}

// scanBefore is what happens to a store before the scan that is measured.
type scanBefore int

const (
	scannedBefore scanBefore = iota // opened and scanned
	openedBefore                    // opened; the page cache holds the files
	droppedBefore                   // opened; the files have to come from the disk
)

// scanning scans a store.
type scanning struct {
	peer   peers.Peer
	before scanBefore
}

func (s *scanning) name() string { return s.peer.Name }
func (s *scanning) close() error { return nil }

func (s *scanning) run(ctx context.Context, place workplace) (measure.Run, error) {
	all := ordersShape(place.size.scanMessages, scanSubjects)
	with := place.withFixture
	if s.before == droppedBefore {
		with = place.withColdFixture
	}
	return with(ctx, s.peer, all, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		if s.before == scannedBefore {
			if err := s.scan(ctx, store, all.messages); err != nil {
				return measure.Run{}, err
			}
		}
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			return int64(all.messages), nil, s.scan(ctx, store, all.messages)
		})
	})
}

func (s *scanning) scan(ctx context.Context, store peers.ScanStore, want int) error {
	messages, size, err := store.Scan(context.WithoutCancel(ctx))
	if err == nil && (messages != want || size != int64(messages)*payloadBytes) {
		err = fmt.Errorf("%s: the scan found %d messages with %d bytes", s.peer.Name, messages, size)
	}
	return err
}
