package main

import (
	"context"
	"strconv"
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
	hands := make([]hand, l.callers)
	for i := range hands {
		messages := newSource(i)
		hands[i] = hand{sampleEvery: l.sampleEvery, step: func() error { return operation(ctx, messages) }}
	}
	tallies, err := runCrew(l.duration, hands)
	sum := together(tallies)
	return sum.steps * int64(l.messagesEach), sum.latencies, err
}
