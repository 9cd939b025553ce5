package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	payloadBytes = 128
	subjectCount = 10_000
	// subjectStride is how far the subjects of one caller are from those of the next.
	subjectStride = 157
)

// subjects are the names that messages cycle through.
var subjects = func() []string {
	names := make([]string, subjectCount)
	for i := range names {
		names[i] = "orders." + strconv.Itoa(i)
	}
	return names
}()

// source gives one caller its messages.
type source struct {
	next    int
	payload []byte
	batch   []peers.Message // for those that store batches, reused
}

func newSource(caller int) *source {
	payload := make([]byte, payloadBytes)
	for i := range payload {
		payload[i] = byte(i*7 + caller)
	}
	return &source{next: caller * subjectStride % subjectCount, payload: payload}
}

// message returns the next message. Its payload is the same memory each time.
func (s *source) message() peers.Message {
	message := peers.Message{Subject: subjects[s.next], Payload: s.payload}
	if s.next++; s.next == subjectCount {
		s.next = 0
	}
	return message
}

// load is a number of callers that each repeat an operation until the time is over.
type load struct {
	callers     int
	duration    time.Duration
	sampleEvery int // every how many operations the latency is taken
	// messagesEach is what one operation stores.
	messagesEach int
}

// run starts the callers, each with its own source, and returns what they did together, when the
// last has returned. Each does at least one operation; the first error ends all. The operations get
// a context that cannot end: the peers' calls cannot be cancelled either, and a run is short.
func (l load) run(ctx context.Context, operation func(context.Context, *source) error) (int64, *measure.Histogram, error) {
	ctx = context.WithoutCancel(ctx)
	var (
		over      atomic.Bool
		start     = make(chan struct{})
		callers   sync.WaitGroup
		counts    = make([]int64, l.callers)
		errs      = make([]error, l.callers)
		latencies = make([]*measure.Histogram, l.callers)
	)
	for i := range l.callers {
		latencies[i] = new(measure.Histogram)
		messages := newSource(i)
		callers.Go(func() {
			<-start
			for (counts[i] == 0 || !over.Load()) && errs[i] == nil {
				sampled := counts[i]%int64(l.sampleEvery) == 0
				var before time.Time
				if sampled {
					before = time.Now()
				}
				errs[i] = operation(ctx, messages)
				if sampled {
					latencies[i].Record(time.Since(before))
				}
				counts[i]++
			}
			if errs[i] != nil {
				over.Store(true)
			}
		})
	}
	stop := time.AfterFunc(l.duration, func() { over.Store(true) })
	defer stop.Stop()
	close(start)
	callers.Wait()

	var total int64
	for i, count := range counts {
		total += count * int64(l.messagesEach)
		if i > 0 {
			latencies[0].Merge(latencies[i])
		}
	}
	return total, latencies[0], errors.Join(errs...)
}

// fill stores count messages through the store's pipeline and has them written.
func fill(ctx context.Context, store peers.ScanStore, count int) error {
	messages, pipeline := newSource(0), store.Pipeline()
	for range count {
		if err := pipeline.Submit(ctx, messages.message()); err != nil {
			return err
		}
	}
	if err := pipeline.Drain(ctx); err != nil {
		return err
	}
	return store.Flush(ctx)
}
