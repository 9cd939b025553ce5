package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	offeredPrefix = "offered-"
	offeredRate   = "offered"
	// offeredCallers is how many stores may be under way at a time, more than any of the stores needs for its highest
	// rate. What comes when all are waits, and its latency counts from when it came.
	offeredCallers = 1024
	// offeredHeadStart is the time in which all callers come to wait for their first messages.
	offeredHeadStart = 5 * time.Millisecond
)

// offeredParts are the loads, in percent of the highest rate.
var offeredParts = []int{10, 30, 50, 70, 90}

// offeredRows are the rows in which messages come at a rate of their own, whether the store has answered or not.
func offeredRows() []row {
	list := []peers.Peer{peers.NATS(peers.NATSSyncAlways), peers.Pebble(), peers.Millrace(peers.Durable)}
	highest := &ceilings{rates: make(map[string]float64)}
	var rows []row
	for _, part := range offeredParts {
		rows = append(rows, row{
			name:  fmt.Sprint(offeredPrefix, part),
			title: fmt.Sprintf("durable, messages come at %d %% of the highest rate of each", part),
			contestants: each(list, func(p peers.Peer) contestant {
				return &offering{peer: p, part: part, highest: highest}
			}),
			targets: []target{{against: "pebble", figure: p99Figure, bound: 1}},
		})
	}
	return rows
}

// ceilings are the highest rates of the stores, each measured once: with callers that wait.
type ceilings struct{ rates map[string]float64 }

func (c *ceilings) of(ctx context.Context, place workplace, peer peers.Peer) (float64, error) {
	if rate, known := c.rates[peer.Name]; known {
		return rate, nil
	}
	run, err := (&storing{peer: peer, callers: offeredCallers}).run(ctx, place)
	if err == nil {
		c.rates[peer.Name] = run.Rate()
	}
	return run.Rate(), err
}

// offering stores messages that come in equal intervals. A latency counts from when the message came.
type offering struct {
	peer    peers.Peer
	part    int
	highest *ceilings
}

func (o *offering) name() string { return o.peer.Name }
func (o *offering) close() error { return nil }

func (o *offering) run(ctx context.Context, place workplace) (measure.Run, error) {
	highest, err := o.highest.of(ctx, place, o.peer)
	if err != nil {
		return measure.Run{}, err
	}
	rate := highest * float64(o.part) / 100
	run, err := onStore(place, o.peer, func(store peers.Store) (int64, *measure.Histogram, error) {
		return offer(ctx, store, rate, place.size.storing)
	})
	run.Extras = []measure.Extra{{Name: offeredRate, Value: rate, Unit: measure.PerSecond}}
	return run, err
}

// offer stores messages that come at a rate for some time, and returns when all are stored. The callers are there before
// the first message comes: to start them takes the processors some milliseconds, which is not what is asked of a store.
func offer(ctx context.Context, store peers.Store, rate float64, duration time.Duration) (int64, *measure.Histogram, error) {
	ctx = context.WithoutCancel(ctx)
	messages := max(int64(rate*duration.Seconds()), 1)
	interval := float64(time.Second) / rate
	var next atomic.Int64
	tallies, errs := make([]tally, offeredCallers), make([]error, offeredCallers)
	var ready, crew sync.WaitGroup
	var start time.Time
	begin := make(chan struct{})
	ready.Add(offeredCallers)
	for caller := range offeredCallers {
		crew.Go(func() {
			tallies[caller].latencies = new(measure.Histogram)
			source := newSource(caller)
			ready.Done()
			<-begin
			for errs[caller] == nil {
				i := next.Add(1) - 1
				if i >= messages {
					return
				}
				came := start.Add(time.Duration(float64(i) * interval))
				time.Sleep(time.Until(came))
				errs[caller] = store.Append(ctx, source.message())
				tallies[caller].latencies.Record(time.Since(came))
				tallies[caller].steps++
			}
		})
	}
	ready.Wait()
	start = time.Now().Add(offeredHeadStart)
	close(begin)
	crew.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, nil, err
		}
	}
	sum := together(tallies)
	return sum.steps, sum.latencies, nil
}
