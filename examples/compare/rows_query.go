package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// queryRows are the rows that ask a store with one message on each of its subjects.
func queryRows(s size) []row {
	theirs := peers.NATS(peers.NATSAsync)
	list := []peers.Peer{theirs, peers.Millrace(peers.Buffered)}
	queries := func(name, title string, bound float64, q query) row {
		return row{
			name: name, title: title + ", " + count(s.kvMessages) + " subjects",
			contestants: each(list, func(p peers.Peer) contestant {
				return &querying{peer: p, query: q, sampleEvery: 1}
			}),
			targets: []target{{against: theirs.Name, figure: rateFigure, bound: bound}},
		}
	}
	return []row{
		queries("query-pending-first", "number pending, 1 % by a wildcard, from the first", 1,
			pending(fromFirst, kvHundredth, isKVHundredth, false)),
		queries("query-pending-middle", "number pending, 1 % by a wildcard, from the middle", 3,
			pending(fromMiddle, kvHundredth, isKVHundredth, false)),
		queries("query-pending-all-first", "number pending, all by a wildcard, from the first", 100,
			pending(fromFirst, kvAll, everySubject, false)),
		queries("query-pending-all-middle", "number pending, all by a wildcard, from the middle", 1000,
			pending(fromMiddle, kvAll, everySubject, false)),
		queries("query-pending-last", "number pending, last of each subject, 1 % by a wildcard, from the middle", 10,
			pending(fromMiddle, kvHundredth, isKVHundredth, true)),
		queries("query-state-middle", "filtered state of everything, from the middle", 100, stateOfAll),
		{
			name: "query-last-message", title: "load the last message of a random subject, " + count(s.kvMessages) + " subjects",
			contestants: each(list, func(p peers.Peer) contestant {
				return &querying{peer: p, query: lastOfSubject, sampleEvery: 8, everywhere: true}
			}),
			targets: []target{{against: theirs.Name, figure: rateFigure, bound: 3}},
		},
	}
}

// query makes what is asked of a store with a shape.
type query func(s shape) func(peers.QueryStore) question

// question is asked of an open store again and again.
type question func(context.Context) error

func fromFirst(shape) uint64    { return 1 }
func fromMiddle(s shape) uint64 { return uint64(s.messages)/2 + 1 }

// pending asks how many messages a filter selects from a sequence on.
func pending(from func(shape) uint64, filter string, wanted func(string) bool, lastPerSubject bool) query {
	return func(s shape) func(peers.QueryStore) question {
		start := from(s)
		want := s.count(start, wanted) // each is the last of its subject
		return func(store peers.QueryStore) question {
			return func(ctx context.Context) error {
				got, err := store.NumPending(ctx, start, filter, lastPerSubject)
				if err == nil && got != want {
					err = fmt.Errorf("%d pending of %q from %d on instead of %d", got, filter, start, want)
				}
				return err
			}
		}
	}
}

// stateOfAll asks for the state of everything in the second half.
func stateOfAll(s shape) func(peers.QueryStore) question {
	start, end := fromMiddle(s), uint64(s.messages)
	return func(store peers.QueryStore) question {
		return func(ctx context.Context) error {
			messages, first, last, err := store.FilteredState(ctx, start, ">")
			if err == nil && (messages != end-start+1 || first != start || last != end) {
				err = fmt.Errorf("%d messages from %d to %d instead of those from %d to %d",
					messages, first, last, start, end)
			}
			return err
		}
	}
}

// askedSubjects is how many subjects lastOfSubject makes beforehand.
const askedSubjects = 1 << 16

// lastOfSubject loads the last message of a random subject, which is its only one.
func lastOfSubject(s shape) func(peers.QueryStore) question {
	random := rand.New(rand.NewPCG(2, 1))
	names, positions := make([]string, askedSubjects), make([]int, askedSubjects)
	for i := range names {
		positions[i] = random.IntN(s.messages)
		names[i] = s.subject(positions[i])
	}
	next := 0
	return func(store peers.QueryStore) question {
		reader := store.Reader()
		return func(ctx context.Context) error {
			i := next % askedSubjects
			next++
			got, err := reader.LoadLast(ctx, names[i])
			if want := uint64(positions[i]) + 1; err == nil && got != want {
				err = fmt.Errorf("the last message of %q is %d instead of %d", names[i], got, want)
			}
			return err
		}
	}
}

// querying asks a store the same again and again. The first answer, for which a store may have to
// prepare itself, is not counted.
type querying struct {
	peer        peers.Peer
	query       query
	sampleEvery int
	everywhere  bool // answers come from all blocks: each gave one before
	ask         func(peers.QueryStore) question
}

func (q *querying) name() string { return q.peer.Name }
func (q *querying) close() error { return nil }

func (q *querying) run(ctx context.Context, place workplace) (measure.Run, error) {
	all := kvShape(place.size.kvMessages, place.size.kvMessages)
	if q.ask == nil {
		q.ask = q.query(all)
	}
	return place.withFixture(ctx, q.peer, all, func(made fixture, store peers.QueryStore) (measure.Run, error) {
		ctx := context.WithoutCancel(ctx)
		asked := q.ask(store)
		caller := hand{sampleEvery: q.sampleEvery, step: func() error { return asked(ctx) }}
		return measure.MeasureWarm(func() error {
			if q.everywhere {
				if err := loadLastOfEach(ctx, store, all, made.firsts); err != nil {
					return err
				}
			}
			return caller.step()
		}, func() (int64, *measure.Histogram, error) {
			done, err := runCrew(place.size.reading, []hand{caller})
			return done[0].steps, done[0].latencies, err
		})
	})
}

// loadLastOfEach loads the last messages of the subjects that the messages at some sequences have.
func loadLastOfEach(ctx context.Context, store peers.QueryStore, all shape, sequences []uint64) error {
	reader := store.Reader()
	for _, sequence := range sequences {
		if _, err := reader.LoadLast(ctx, all.subject(int(sequence)-1)); err != nil {
			return err
		}
	}
	return nil
}
