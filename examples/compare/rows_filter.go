package main

import (
	"context"
	"fmt"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// literalSubjects is on how many subjects the messages of the literal filter are.
const literalSubjects = 1_000

// filterRows are the rows that read, of a large store, the messages that a filter selects.
func filterRows(s size) []row {
	theirs := peers.NATS(peers.NATSAsync)
	list := []peers.Peer{theirs, peers.Millrace(peers.Buffered)}
	return []row{
		{
			name: "filter-literal",
			title: fmt.Sprintf("read 1 subject of %s in %s messages, first pass after opening",
				count(literalSubjects), count(s.filterMessages)),
			contestants: each(list, func(p peers.Peer) contestant {
				return &filtering{peer: p, filter: orderSubject(437), shape: func(s size) shape {
					return ordersShape(s.filterMessages, literalSubjects)
				}, wanted: func(subject string) bool { return subject == orderSubject(437) }}
			}),
			targets: []target{{against: theirs.Name, figure: rateFigure, bound: 20}},
		},
		{
			name: "filter-wildcard",
			title: fmt.Sprintf("read 1 %% of %s subjects by a wildcard in %s messages, first pass after opening",
				count(s.filterSubjects), count(s.filterMessages)),
			contestants: each(list, func(p peers.Peer) contestant {
				return &filtering{peer: p, filter: kvHundredth, shape: func(s size) shape {
					return kvShape(s.filterMessages, s.filterSubjects)
				}, wanted: isKVHundredth}
			}),
			targets: []target{{against: theirs.Name, figure: rateFigure, bound: 8}},
		},
	}
}

// filtering reads what a filter selects, of a store that was just opened. All messages of the store
// count, since all are looked through.
type filtering struct {
	peer   peers.Peer
	filter string
	shape  func(size) shape
	wanted func(subject string) bool
	want   uint64 // how many are wanted; counted at the first run
}

func (f *filtering) name() string { return f.peer.Name }
func (f *filtering) close() error { return nil }

func (f *filtering) run(ctx context.Context, place workplace) (measure.Run, error) {
	all := f.shape(place.size)
	if f.want == 0 {
		f.want = all.count(1, f.wanted)
	}
	return place.withFixture(ctx, f.peer, all, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			return int64(all.messages), nil, f.pass(context.WithoutCancel(ctx), store)
		})
	})
}

// pass reads the matches once and counts them.
func (f *filtering) pass(ctx context.Context, store peers.QueryStore) error {
	var matches, before uint64
	ascending := true
	err := store.Matching(ctx, f.filter, func(sequence uint64) bool {
		ascending = ascending && sequence > before
		before = sequence
		matches++
		return true
	})
	if err == nil && (matches != f.want || !ascending) {
		err = fmt.Errorf("%s: %d matches of %q instead of %d, ascending: %v",
			f.peer.Name, matches, f.filter, f.want, ascending)
	}
	return err
}
