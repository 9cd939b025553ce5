package main

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// stateStall is the longest time that one append has taken.
const stateStall = "longest append"

// stateRows are the rows about index.db, in which a store keeps what it knows of its stream.
func stateRows(s size) []row {
	opens := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	stores := []peers.Peer{peers.NATS(peers.NATSDefault), peers.Millrace(peers.Written)}
	return []row{
		{
			name: "state-open", title: "open " + count(s.indexSubjects) + " subjects after a stop",
			contestants: each(opens, func(p peers.Peer) contestant {
				return &reopening{peer: p, shape: func(s size) shape { return kvShape(s.indexSubjects, s.indexSubjects) }}
			}),
			targets: []target{{against: opens[0].Name, figure: timeFigure, bound: 1.0 / 2}},
		},
		{
			name: "state-stall", title: "append while the state of " + count(s.indexSubjects) + " subjects is written", once: true,
			contestants: each(stores, func(p peers.Peer) contestant { return &stalling{peer: p} }),
			targets: []target{
				{against: stores[0].Name, figure: extraFigure, extra: stateStall, unit: measure.Milliseconds, bound: 1.0 / 10},
				{against: millraceName, figure: extraFigure, extra: stateStall, unit: measure.Milliseconds, bound: 5},
			},
		},
	}
}

// stalling appends one message after the other for as long as it takes until a store has written its state, which both
// do between two minutes and two and a half after the first change.
type stalling struct{ peer peers.Peer }

func (s *stalling) name() string { return s.peer.Name }
func (s *stalling) close() error { return nil }

func (s *stalling) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	store, err := peers.OpenAs[peers.ScanStore](s.peer, dir)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	of := kvShape(place.size.indexSubjects, place.size.indexSubjects)
	if err := of.fill(ctx, store); err != nil {
		return run, err
	}
	longest, began := time.Duration(0), time.Now()
	for at := 0; time.Since(began) < place.size.stateWritten; at++ {
		before := time.Now()
		if err := store.Append(ctx, peers.Message{Subject: kvSubject(at % of.messages), Payload: of.payload(at)}); err != nil {
			return run, err
		}
		longest = max(longest, time.Since(before))
		run.Messages++
	}
	run.Extras = []measure.Extra{{Name: stateStall, Value: longest.Seconds() * 1000, Unit: measure.Milliseconds}}
	return run, nil
}
