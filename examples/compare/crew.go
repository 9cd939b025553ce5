package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// hand is one goroutine of a crew: it repeats a step until the time is over, at least once.
type hand struct {
	step        func() error
	sampleEvery int // every how many steps the latency is taken; 0: never
}

// tally is what one hand did.
type tally struct {
	steps     int64
	latencies *measure.Histogram
}

// runCrew starts the hands together and returns what each did, when the last has returned. The first
// error ends all.
func runCrew(duration time.Duration, hands []hand) ([]tally, error) {
	var (
		over    atomic.Bool
		start   = make(chan struct{})
		crew    sync.WaitGroup
		tallies = make([]tally, len(hands))
		errs    = make([]error, len(hands))
	)
	for i, h := range hands {
		crew.Go(func() {
			<-start
			if tallies[i], errs[i] = h.work(&over); errs[i] != nil {
				over.Store(true)
			}
		})
	}
	stop := time.AfterFunc(duration, func() { over.Store(true) })
	defer stop.Stop()
	close(start)
	crew.Wait()
	return tallies, errors.Join(errs...)
}

func (h hand) work(over *atomic.Bool) (done tally, err error) {
	done.latencies = new(measure.Histogram)
	untilSample := 1
	for done.steps == 0 || !over.Load() {
		untilSample--
		sampled := untilSample == 0
		var before time.Time
		if sampled {
			before, untilSample = time.Now(), h.sampleEvery
		}
		if err := h.step(); err != nil {
			return done, err
		}
		if sampled && h.sampleEvery > 0 {
			done.latencies.Record(time.Since(before))
		}
		done.steps++
	}
	return done, nil
}

// together adds up the tallies.
func together(tallies []tally) tally {
	sum := tally{latencies: new(measure.Histogram)}
	for _, t := range tallies {
		sum.steps += t.steps
		sum.latencies.Merge(t.latencies)
	}
	return sum
}

// background is goroutines that run beside what is measured.
type background struct {
	over atomic.Bool
	crew sync.WaitGroup
	errs []error
}

// startBackground starts count goroutines. Each works until over is true, or an error.
func startBackground(count int, work func(number int, over *atomic.Bool) error) *background {
	b := &background{errs: make([]error, count)}
	for i := range count {
		b.crew.Go(func() { b.errs[i] = work(i, &b.over) })
	}
	return b
}

// stop ends the goroutines and returns their errors.
func (b *background) stop() error {
	b.over.Store(true)
	return b.wait()
}

// wait waits for the goroutines, which end by themselves, and returns their errors.
func (b *background) wait() error {
	b.crew.Wait()
	return errors.Join(b.errs...)
}
