package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// An acknowledgement pairs an event of a feed with the sequence at which it is durable.
type acknowledgement struct {
	sequence uint64
	number   uint64
}

// An ingest is a number of publisher actors that send a feed to a topic, each with a window of
// events under way: the next goes out when one is acknowledged.
type ingest struct {
	feed       *feed
	topic      *Topic
	publishers int
	window     int
	onAck      func(acknowledgement) // may be nil; called on the publishers' turns, so from several at a time

	acked     atomic.Uint64 // for the progress line
	lock      sync.Mutex
	acks      []acknowledgement
	latencies histogram
	failures  tally
}

// run publishes until the feed ends, and returns when every event that went out has its answer. When
// ctx ends, no further event goes out.
func (in *ingest) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, in.feed.end)
	defer stop()
	var done sync.WaitGroup
	props := actor.PropsFromProducer(func() actor.Actor {
		return &publisherActor{ingest: in, done: &done, acks: make([]acknowledgement, 0, 1024)}
	}, actor.WithGuardian(stopOnPanic))
	root := in.topic.system.Root
	for range in.publishers {
		done.Add(1)
		root.Spawn(props)
	}
	done.Wait()
	in.lock.Lock()
	defer in.lock.Unlock()
	return errors.Join(in.failures.err("publishers"), context.Cause(ctx))
}

// collect takes over what one publisher saw.
func (in *ingest) collect(acks []acknowledgement, latencies *histogram, err error) {
	in.lock.Lock()
	defer in.lock.Unlock()
	in.acks = append(in.acks, acks...)
	in.latencies.merge(latencies)
	in.failures.add(err)
}

// overloadPause is how long a publisher waits after a refusal when nothing of its own is under way, whose
// answer would be the sign to go on.
const overloadPause = 2 * time.Millisecond

// publisherActor sends events and takes their acknowledgements; it never waits.
type publisherActor struct {
	ingest    *ingest
	done      *sync.WaitGroup
	flying    int
	refused   []uint64 // to be sent again
	acks      []acknowledgement
	latencies histogram
	err       error
	ended     bool
}

// flight is an event under way.
type flight struct {
	number uint64
	sentAt time.Time
}

// tryAgain ends an overloadPause.
type tryAgain struct{}

// Receive implements actor.Actor.
func (p *publisherActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *tryAgain:
		p.fill(ctx)
	case *actors.StoreReply:
		p.answered(ctx, m)
	case *actor.DeadLetterResponse:
		// The topic or its store has ended, and nothing of ours that is under way will be answered.
		p.fail(fmt.Errorf("the topic has ended: %w", actors.ErrStopped))
		p.flying = 0
		p.fill(ctx)
	case *actor.Stopped:
		p.end()
	}
}

// fill sends as much as the window allows, and ends the actor when there is nothing left to do.
func (p *publisherActor) fill(ctx actor.Context) {
	for p.flying < p.ingest.window && p.err == nil {
		number, ok := p.take()
		if !ok {
			break
		}
		p.flying++
		event := p.ingest.feed.event(number)
		ctx.Request(p.ingest.topic.pid, &actors.StoreRequest{
			Subject: event.subject,
			Header:  p.ingest.feed.header(number),
			Payload: event.line,
			Tag:     &flight{number: number, sentAt: time.Now()},
		})
	}
	if p.flying == 0 && len(p.refused) == 0 {
		ctx.Stop(ctx.Self())
	}
}

// take prefers what was refused before. Once the feed has ended, that is given up.
func (p *publisherActor) take() (uint64, bool) {
	if p.ingest.feed.ending.Load() {
		p.refused = nil
	}
	if last := len(p.refused) - 1; last >= 0 {
		number := p.refused[last]
		p.refused = p.refused[:last]
		return number, true
	}
	return p.ingest.feed.take()
}

func (p *publisherActor) answered(ctx actor.Context, m *actors.StoreReply) {
	sent, ours := m.Tag.(*flight)
	if !ours || p.flying == 0 {
		return
	}
	p.flying--
	switch {
	case m.Err == nil:
		p.latencies.add(time.Since(sent.sentAt))
		ack := acknowledgement{sequence: m.Ack.Sequence, number: sent.number}
		p.acks = append(p.acks, ack)
		p.ingest.acked.Add(1)
		if p.ingest.onAck != nil {
			p.ingest.onAck(ack)
		}
		p.fill(ctx)
	case errors.Is(m.Err, actors.ErrOverloaded):
		p.refused = append(p.refused, sent.number)
		if p.flying == 0 {
			system, self := ctx.ActorSystem(), ctx.Self()
			time.AfterFunc(overloadPause, func() { system.Root.Send(self, &tryAgain{}) })
		}
	default:
		p.fail(m.Err)
		p.fill(ctx)
	}
}

// fail keeps the first error and ends the feed for all publishers.
func (p *publisherActor) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.refused = nil
	p.ingest.feed.end()
}

func (p *publisherActor) end() {
	if !p.ended {
		p.ended = true
		p.ingest.collect(p.acks, &p.latencies, p.err)
		p.done.Done()
	}
}
