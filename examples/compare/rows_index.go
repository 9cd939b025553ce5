package main

import (
	"context"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// oneSubject is how the table calls what a message takes when all have the same subject.
const oneSubject = "1 subject"

// fewerSubjects is on how many subjects the messages are in the middle.
func fewerSubjects(s size) int { return min(10_000, s.indexSubjects) }

// moreFor is how the table calls what a message takes besides with so many subjects.
func moreFor(subjects int) string { return "more for " + count(subjects) }

// indexRows are the rows that say what it costs a store to keep track of subjects.
func indexRows(s size) []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	most := func(extra string, bound float64) target {
		return target{against: millraceName, figure: extraFigure, extra: extra, unit: measure.Nanoseconds, bound: bound}
	}
	return []row{{
		name: "index-cost", title: "no sync, 1 caller, pipelined, by number of subjects",
		contestants: each(list, func(p peers.Peer) contestant { return &indexing{peer: p} }),
		targets:     []target{most(moreFor(fewerSubjects(s)), 100), most(moreFor(s.indexSubjects), 400)},
	}}
}

// indexing stores the same number of messages on one subject, on 10,000 and on a million, and says how
// much longer a message takes. Rate, allocations and cores are those with the most subjects.
type indexing struct {
	peer peers.Peer
}

func (x *indexing) name() string { return x.peer.Name }
func (x *indexing) close() error { return nil }

func (x *indexing) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	var each [3]float64 // nanoseconds a message
	counts := [3]int{1, fewerSubjects(place.size), place.size.indexSubjects}
	for i, subjects := range counts {
		run, err = x.store(ctx, place, subjectsInTurn(subjects))
		if err != nil {
			return run, err
		}
		each[i] = divide(float64(run.Elapsed.Nanoseconds()), float64(run.Messages))
	}
	run.Extras = []measure.Extra{
		{Name: oneSubject, Value: each[0], Unit: measure.Nanoseconds},
		{Name: moreFor(counts[1]), Value: each[1] - each[0], Unit: measure.Nanoseconds},
		{Name: moreFor(counts[2]), Value: each[2] - each[0], Unit: measure.Nanoseconds},
	}
	return run, nil
}

// store stores messages on the subjects in turn.
func (x *indexing) store(ctx context.Context, place workplace, subjects []string) (measure.Run, error) {
	return onStore(place, x.peer, func(store peers.PipelineStore) (int64, *measure.Histogram, error) {
		ctx, payload := context.WithoutCancel(ctx), newSource(0).payload
		pipeline, next := store.Pipeline(), 0
		for range place.size.indexMessages {
			message := peers.Message{Subject: subjects[next], Payload: payload}
			if err := pipeline.Submit(ctx, message); err != nil {
				return 0, nil, err
			}
			if next++; next == len(subjects) {
				next = 0
			}
		}
		return int64(place.size.indexMessages), nil, pipeline.Drain(ctx)
	})
}

// subjectsInTurn makes subjects of the same length in shuffled order, behind each other in memory: the
// caller shall not be what costs more with more of them.
func subjectsInTurn(count int) []string {
	order, length := newPermutation(count), len(kvSubject0)
	all := make([]byte, 0, count*length)
	for i := range count {
		all = append(all, kvSubject(order.at(i))...)
	}
	text, names := string(all), make([]string, count)
	for i := range names {
		names[i] = text[i*length : (i+1)*length]
	}
	return names
}
