package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	ttlProcessor = "processor time"
	ttlHeap      = "heap for the TTLs"
	ttlLate      = "the last goes late by"
)

// lifetimes are those of messages, spread evenly over some seconds.
type lifetimes struct{ Shortest, Spread int } // in seconds

// of returns how many seconds the message at a position lives. Neighbours live for different times.
func (l lifetimes) of(position int) int { return l.Shortest + position*37%l.Spread }

// ttlRows are the rows in which messages go when their time is over.
func ttlRows(s size) []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	theirs := list[0].Name
	return []row{{
		name: "ttl", title: fmt.Sprintf("%s messages that expire within %d s", count(s.ttlMessages), s.ttls.Spread),
		once: true, together: true,
		contestants: each(list, func(p peers.Peer) contestant { return &expiring{peer: p} }),
		targets: []target{
			{against: theirs, figure: extraFigure, extra: ttlProcessor, unit: measure.Milliseconds, bound: 1},
			{against: theirs, figure: extraFigure, extra: ttlHeap, unit: measure.MiB, bound: 1},
		},
	}}
}

// expiring stores messages that each have a TTL, and waits until all of them are gone. The stores are in processes of
// their own, so that the processor time is that of one store.
type expiring struct{ peer peers.Peer }

func (e *expiring) name() string { return e.peer.Name }
func (e *expiring) close() error { return nil }

func (e *expiring) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ttls := place.size.ttls
	p := probe{Peer: e.peer.Name, Messages: place.size.ttlMessages, Subjects: loadSubjects, TTL: &ttls}
	var measured expiry
	if err := p.ask(ctx, place, &measured); err != nil {
		return run, err
	}
	return measure.Run{Messages: int64(p.Messages), Extras: []measure.Extra{
		{Name: ttlProcessor, Value: measured.Processor.Seconds() * 1000, Unit: measure.Milliseconds},
		{Name: ttlHeap, Value: measured.Heap, Unit: measure.MiB},
		{Name: ttlLate, Value: measured.Late.Seconds() * 1000, Unit: measure.Milliseconds},
	}}, nil
}

// expiry is what a probe of expiring answers.
type expiry struct {
	Processor time.Duration // of the process, from when all messages are stored until all are gone
	Heap      float64       // by how much the heap is larger than with the same messages without TTLs, in MiB
	Late      time.Duration // from when the last message is due until it is gone
}

// expire is measure for a probe of expiring.
func (p probe) expire(ctx context.Context) (measured expiry, err error) {
	peers.StartActorSystem()
	before := measure.Heap()
	plain, _, err := p.fillTTL(ctx, false)
	if err != nil {
		return measured, err
	}
	without := measure.Heap() - before
	if err := plain.Close(); err != nil {
		return measured, err
	}
	before = measure.Heap()
	store, stored, err := p.fillTTL(ctx, true)
	if err != nil {
		return measured, err
	}
	measured.Heap = float64(measure.Heap()-before-without) / (1 << 20)
	processor := measure.ProcessorTime()
	for left := uint64(1); left > 0; {
		time.Sleep(20 * time.Millisecond)
		if left, err = store.Count(ctx); err != nil {
			return measured, errors.Join(err, store.Close())
		}
	}
	measured.Late = time.Since(stored) - time.Duration(p.TTL.Shortest+p.TTL.Spread-1)*time.Second
	measured.Processor = measure.ProcessorTime() - processor
	return measured, store.Close()
}

// fillTTL opens a store and stores messages, with TTLs or without. stored is when the last one was.
func (p probe) fillTTL(ctx context.Context, ttls bool) (store peers.TTLStore, stored time.Time, err error) {
	ctx = context.WithoutCancel(ctx)
	peer, dir := peers.NATSTTL(peers.NATSAsync, ttls), "without"
	if p.Peer == millraceName {
		peer = peers.MillraceTTL(peers.Buffered, ttls)
	}
	if ttls {
		dir = "with"
	}
	if store, err = peers.OpenAs[peers.TTLStore](peer, filepath.Join(p.Dir, dir)); err != nil {
		return nil, stored, err
	}
	if stored, err = p.storeTTL(ctx, store); err != nil {
		return nil, stored, errors.Join(err, store.Close())
	}
	return store, stored, nil
}

// storeTTL stores messages with TTLs through the store's pipeline and has them written.
func (p probe) storeTTL(ctx context.Context, store peers.TTLStore) (stored time.Time, err error) {
	shape, pipeline := ordersShape(p.Messages, p.Subjects), store.TTLPipeline()
	for i := range p.Messages {
		message := peers.Message{Subject: shape.subject(i), Payload: shape.payload(i)}
		if err := pipeline.Submit(ctx, message, p.TTL.of(i)); err != nil {
			return stored, err
		}
	}
	if err := pipeline.Drain(ctx); err != nil {
		return stored, err
	}
	stored = time.Now()
	return stored, store.Flush(ctx)
}
