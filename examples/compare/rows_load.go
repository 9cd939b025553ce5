package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// loadSampleEvery is how often a load's latency is taken: two readings of the clock cost as much as a
// load that finds its message in memory.
const loadSampleEvery = 64

// loadSubjects is on how many subjects the messages are that are loaded.
const loadSubjects = 10_000

// loadRows are the rows that load single messages by their sequences.
func loadRows(s size) []row {
	list := []peers.Peer{peers.NATS(peers.NATSDefault), peers.Millrace(peers.Buffered)}
	rows := append(readerRows(s, list, 1, 1.3, 2), besideRow(1, 8, 0.9))
	rows = append(rows, readerRows(s, list, 4, 3, 4)...)
	return append(append(rows, besideRow(4, 10, 0.5)), touchRows(list)...)
}

// readerRows are the rows in which nothing is stored. hot and uniform are what the rates should be.
func readerRows(s size, list []peers.Peer, readers int, hot, uniform float64) []row {
	theirs := list[0].Name
	return []row{
		{
			name:        fmt.Sprintf("load-hot-%d", readers),
			title:       "load by sequence, one block in memory, " + readersText(readers),
			contestants: each(list, func(p peers.Peer) contestant { return &loadingHot{peer: p, readers: readers} }),
			targets: []target{
				{against: theirs, figure: rateFigure, bound: hot},
				{against: millraceName, figure: allocsFigure, bound: none},
			},
		},
		{
			name:  fmt.Sprintf("load-uniform-%d", readers),
			title: "load by sequence, uniform over " + count(s.loadMessages) + ", " + readersText(readers),
			contestants: each(list, func(p peers.Peer) contestant {
				return &loadingUniform{peer: p, readers: readers}
			}),
			targets: []target{{against: theirs, figure: rateFigure, bound: uniform}},
		},
	}
}

// besideRow is the row in which one caller stores. rate and keeps are what the readers' rate should be,
// and what the writer should keep of its own.
func besideRow(readers int, rate, keeps float64) row {
	theirs := peers.NATS(peers.NATSDefault)
	return row{
		name:  fmt.Sprintf("load-beside-%d", readers),
		title: "load by sequence, one block while another caller stores, " + readersText(readers),
		contestants: each([]peers.Peer{theirs, peers.Millrace(peers.Written)}, func(p peers.Peer) contestant {
			return &loadingBeside{peer: p, readers: readers}
		}),
		targets: []target{
			{against: theirs.Name, figure: rateFigure, bound: rate},
			{against: millraceName, figure: extraFigure, extra: writerKeeps, unit: measure.Times,
				bound: keeps, atLeast: true},
		},
	}
}

func readersText(readers int) string {
	if readers == 1 {
		return "1 reader"
	}
	return count(readers) + " readers"
}

// touchRows are the rows that load one message of each block.
func touchRows(list []peers.Peer) []row {
	rows := []row{{
		name: "load-touch-cached", title: "first load from a block after opening, files in the page cache",
		contestants: each(list, func(p peers.Peer) contestant { return &touching{peer: p} }),
		targets:     []target{{against: list[0].Name, figure: p50Figure, bound: 1.0 / 50}},
	}}
	if canDropPages {
		rows = append(rows, row{
			name: "load-touch-dropped", title: "first load from a block after opening, page cache dropped",
			contestants: each(list, func(p peers.Peer) contestant { return &touching{peer: p, drop: true} }),
			targets:     []target{{against: list[0].Name, figure: p50Figure, bound: 1.0 / 10}},
		})
	}
	return rows
}

// loads returns hands that each load random ones of the first messages.
func loads(ctx context.Context, store peers.QueryStore, readers, messages int) []hand {
	ctx = context.WithoutCancel(ctx)
	hands := make([]hand, readers)
	for i := range hands {
		reader, random := store.Reader(), rand.New(rand.NewPCG(1, uint64(i)))
		hands[i] = hand{sampleEvery: loadSampleEvery, step: func() error {
			size, err := reader.Load(ctx, random.Uint64N(uint64(messages))+1)
			if err == nil && size != payloadBytes {
				err = fmt.Errorf("a payload of %d bytes", size)
			}
			return err
		}}
	}
	return hands
}

// loadingHot loads messages of the block that was just written, and is not full yet.
type loadingHot struct {
	peer    peers.Peer
	readers int
}

func (l *loadingHot) name() string { return l.peer.Name }
func (l *loadingHot) close() error { return nil }

func (l *loadingHot) run(ctx context.Context, place workplace) (measure.Run, error) {
	return withStore(place, l.peer, func(store peers.QueryStore) (measure.Run, error) {
		messages := place.size.hotMessages
		if err := ordersShape(messages, loadSubjects).fill(ctx, store); err != nil {
			return measure.Run{}, err
		}
		hands := loads(ctx, store, l.readers, messages)
		return measure.MeasureWarm(hands[0].step, func() (int64, *measure.Histogram, error) {
			done, err := runCrew(place.size.reading, hands)
			sum := together(done)
			return sum.steps, sum.latencies, err
		})
	})
}

// loadingUniform loads messages of a large store, of which every block was read from before.
type loadingUniform struct {
	peer    peers.Peer
	readers int
}

func (l *loadingUniform) name() string { return l.peer.Name }
func (l *loadingUniform) close() error { return nil }

func (l *loadingUniform) run(ctx context.Context, place workplace) (measure.Run, error) {
	messages := place.size.loadMessages
	all := ordersShape(messages, loadSubjects)
	return place.withFixture(ctx, l.peer, all, func(made fixture, store peers.QueryStore) (measure.Run, error) {
		hands := loads(ctx, store, l.readers, messages)
		return measure.MeasureWarm(func() error {
			return touch(ctx, store, made.firsts, nil)
		}, func() (int64, *measure.Histogram, error) {
			done, err := runCrew(place.size.reading, hands)
			sum := together(done)
			return sum.steps, sum.latencies, err
		})
	})
}

// touch loads the messages at some sequences, each once.
func touch(ctx context.Context, store peers.QueryStore, sequences []uint64, latencies *measure.Histogram) error {
	ctx = context.WithoutCancel(ctx)
	reader := store.Reader()
	for _, sequence := range sequences {
		before := time.Now()
		if _, err := reader.Load(ctx, sequence); err != nil {
			return err
		}
		if latencies != nil {
			latencies.Record(time.Since(before))
		}
	}
	return nil
}

// touching loads the first message of each block of a store that was just opened.
type touching struct {
	peer peers.Peer
	drop bool
}

func (t *touching) name() string { return t.peer.Name }
func (t *touching) close() error { return nil }

func (t *touching) run(ctx context.Context, place workplace) (measure.Run, error) {
	with := place.withFixture
	if t.drop {
		with = place.withColdFixture
	}
	all := ordersShape(place.size.loadMessages, loadSubjects)
	return with(ctx, t.peer, all, func(made fixture, store peers.QueryStore) (measure.Run, error) {
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			var latencies measure.Histogram
			err := touch(ctx, store, made.firsts, &latencies)
			return int64(len(made.firsts)), &latencies, err
		})
	})
}

const (
	writerAlone  = "writer alone"
	writerBeside = "writer beside them"
	writerKeeps  = "writer keeps"
)

// loadingBeside loads what loadingHot loads, while one caller stores further messages as fast as it can,
// one after the other. Before, that caller runs alone.
type loadingBeside struct {
	peer    peers.Peer
	readers int
}

func (l *loadingBeside) name() string { return l.peer.Name }
func (l *loadingBeside) close() error { return nil }

func (l *loadingBeside) run(ctx context.Context, place workplace) (measure.Run, error) {
	return withStore(place, l.peer, func(store peers.QueryStore) (run measure.Run, err error) {
		messages := place.size.hotMessages
		if err := ordersShape(messages, loadSubjects).fill(ctx, store); err != nil {
			return run, err
		}
		writer := appends(ctx, store)
		var alone, beside float64
		if alone, err = rateOf(place.size.reading, writer); err != nil {
			return run, err
		}
		hands := append(loads(ctx, store, l.readers, messages), writer)
		run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
			start := time.Now()
			done, err := runCrew(place.size.reading, hands)
			beside = float64(done[l.readers].steps) / time.Since(start).Seconds()
			sum := together(done[:l.readers])
			return sum.steps, sum.latencies, err
		})
		run.Extras = []measure.Extra{
			{Name: writerAlone, Value: alone, Unit: measure.PerSecond},
			{Name: writerBeside, Value: beside, Unit: measure.PerSecond},
			{Name: writerKeeps, Value: divide(beside, alone), Unit: measure.Times},
		}
		return run, err
	})
}

// appends is a hand that stores message after message.
func appends(ctx context.Context, store peers.Store) hand {
	ctx = context.WithoutCancel(ctx)
	messages := newSource(0)
	return hand{step: func() error { return store.Append(ctx, messages.message()) }}
}

// rateOf is how often one hand can do its step in a second.
func rateOf(duration time.Duration, h hand) (float64, error) {
	start := time.Now()
	done, err := runCrew(duration, []hand{h})
	return float64(done[0].steps) / time.Since(start).Seconds(), err
}
