package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	crowdHeap        = "heap each"
	crowdResident    = "resident each"
	crowdDescriptors = "descriptors each"
	crowdGoroutines  = "goroutines each"
	// crowdOpeners is how many streams are opened at a time: a program that opens thousands does not wait for one
	// after the other.
	crowdOpeners = 64
	// durableStreams is how many streams have one durable writer each.
	durableStreams = 64
)

// manyRows are the rows about many streams in one process.
func manyRows(s size) []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	var rows []row
	for i, streams := range s.streams {
		most := func(extra string, unit measure.Unit, bound float64) target {
			return target{against: millraceName, figure: extraFigure, extra: extra, unit: unit, bound: bound}
		}
		rows = append(rows, row{
			name: "many-idle-" + [...]string{"few", "most"}[i], title: "open " + count(streams) + " streams of a message each, and leave them alone",
			once:        true,
			contestants: each(list, func(p peers.Peer) contestant { return &crowding{peer: p, streams: streams} }),
			targets: []target{
				most(crowdHeap, measure.KiB, 12), most(crowdDescriptors, measure.Each, 0.01),
				{against: millraceName, figure: timeFigure, bound: float64(streams) * float64(500*time.Microsecond)},
			},
		})
	}
	return append(rows, row{
		name: "many-durable", title: "durable, " + count(durableStreams) + " writers: a stream each, beside one stream",
		contestants: []contestant{
			named{&storing{peer: peers.Millrace(peers.Durable), callers: durableStreams}, "one stream"},
			&storingApart{peer: peers.Millrace(peers.Durable), streams: durableStreams},
		},
	})
}

// crowding opens many streams at once that were stopped before, in a process of its own, and looks at what they take
// when they have been idle for a while.
type crowding struct {
	peer    peers.Peer
	streams int
}

func (c *crowding) name() string { return c.peer.Name }
func (c *crowding) close() error { return nil }

// crowd is what the process answers.
type crowd struct {
	Opening                                 time.Duration
	Heap, Resident, Descriptors, Goroutines float64 // by how much they grew, for each stream; memory in KiB
}

func (c *crowding) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	p := probe{Peer: c.peer.Name, Streams: c.streams, Idle: place.size.heapIdle}
	var measured crowd
	if err := p.ask(ctx, place, &measured); err != nil {
		return run, err
	}
	return measure.Run{Messages: int64(c.streams), Elapsed: measured.Opening, Extras: []measure.Extra{
		{Name: crowdHeap, Value: measured.Heap, Unit: measure.KiB},
		{Name: crowdResident, Value: measured.Resident, Unit: measure.KiB},
		{Name: crowdDescriptors, Value: measured.Descriptors, Unit: measure.Each},
		{Name: crowdGoroutines, Value: measured.Goroutines, Unit: measure.Each},
	}}, nil
}

// crowd makes the streams, and opens them again.
func (p probe) crowd(ctx context.Context) (measured crowd, err error) {
	peer := p.peer()
	stores := make([]peers.Store, p.Streams)
	open := func(i int) (err error) {
		stores[i], err = peer.Open(filepath.Join(p.Dir, strconv.Itoa(i)))
		return err
	}
	closes := func(i int) error { return stores[i].Close() }
	if err := inCrowd(p.Streams, func(i int) error {
		if err := os.Mkdir(filepath.Join(p.Dir, strconv.Itoa(i)), 0o755); err != nil {
			return err
		}
		if err := open(i); err != nil {
			return err
		}
		err := stores[i].Append(ctx, peers.Message{Subject: "a", Payload: []byte("of an idle stream")})
		return errors.Join(err, closes(i))
	}); err != nil {
		return measured, err
	}
	clear(stores)
	before := look()
	start := time.Now()
	if err := inCrowd(p.Streams, open); err != nil {
		return measured, err
	}
	measured.Opening = time.Since(start)
	time.Sleep(p.Idle)
	after := look()
	each := func(grown int64) float64 { return float64(grown) / float64(p.Streams) }
	measured.Heap, measured.Resident = each(after.heap-before.heap)/1024, each(after.resident-before.resident)/1024
	measured.Descriptors, measured.Goroutines = each(after.descriptors-before.descriptors), each(after.goroutines-before.goroutines)
	return measured, inCrowd(p.Streams, closes)
}

// sight is what this process holds.
type sight struct{ heap, resident, descriptors, goroutines int64 }

func look() sight {
	s := sight{heap: measure.Heap(), resident: measure.Resident(), goroutines: int64(runtime.NumGoroutine())}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.descriptors = int64(len(open))
	}
	return s
}

// inCrowd does something for each of n streams, many at a time.
func inCrowd(n int, do func(i int) error) error {
	var next atomic.Int64
	var crew sync.WaitGroup
	errs := make([]error, crowdOpeners)
	for worker := range errs {
		crew.Go(func() {
			for errs[worker] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					errs[worker] = fmt.Errorf("stream %d: %w", i, err)
				}
			}
		})
	}
	crew.Wait()
	return errors.Join(errs...)
}

// storingApart is a number of streams with one caller each, which stores one message after the other.
type storingApart struct {
	peer    peers.Peer
	streams int
}

func (s *storingApart) name() string { return s.peer.Name }
func (s *storingApart) close() error { return nil }

func (s *storingApart) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	hands := make([]hand, s.streams)
	for i := range hands {
		own := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(own, 0o755); err != nil {
			return run, err
		}
		store, err := s.peer.Open(own)
		if err != nil {
			return run, err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		hands[i] = appends(ctx, store)
		hands[i].sampleEvery = 1
	}
	place.settle()
	return measure.Measure(func() (int64, *measure.Histogram, error) {
		done, err := runCrew(place.size.storing, hands)
		sum := together(done)
		return sum.steps, sum.latencies, err
	})
}
