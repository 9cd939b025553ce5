package main

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A subscriber gets batches of at most sessionBatch messages and sessionBatchBytes, and may have
// sessionWindow of them unacknowledged: what a slow one costs is bounded, and it slows nobody else.
const (
	sessionWindow     = 4
	sessionBatch      = 512
	sessionBatchBytes = 512 << 10
)

// A Subscription is the subscriber's side of a session: one goroutine reads Batches, acknowledges, and
// closes it.
type Subscription struct {
	// Batches gives the messages in order, none twice and none left out that the stream still holds, and
	// between them what is lost. It is closed when the session has ended.
	Batches <-chan Batch

	system *actor.ActorSystem
	pid    *actor.PID
	failed *atomic.Pointer[error]
}

// Ack says that everything up to a sequence is dealt with: the session goes on reading.
func (s *Subscription) Ack(through uint64) {
	s.system.Root.Send(s.pid, &acknowledge{through: through})
}

// Close ends the session. It may be called repeatedly.
func (s *Subscription) Close() {
	s.system.Root.Stop(s.pid)
}

// Err says why Batches was closed; nil when the session was ended on purpose.
func (s *Subscription) Err() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// sessionActor reads a store for one subscriber: first what is there, then, told by the store's
// notices, what comes. It has one read under way at most.
type sessionActor struct {
	store   *actors.Store
	filters []actors.Filters
	batches chan Batch // one slot per batch of the window: sending never waits
	failed  *atomic.Pointer[error]
	next    uint64   // the sequence to read from
	reading bool     // a ReadRequest is under way
	stale   bool     // the stream has advanced since that read was asked for
	idle    bool     // the last read found nothing: wait for a notice
	unacked []uint64 // the last sequence of each batch that the subscriber holds
}

// spawnSession makes the session a child of the topic: it ends with it.
func spawnSession(ctx actor.Context, system *actor.ActorSystem, store *actors.Store, what reading) *Subscription {
	batches := make(chan Batch, sessionWindow)
	failed := new(atomic.Pointer[error])
	pid := ctx.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &sessionActor{store: store, filters: what.filters, batches: batches, failed: failed, next: max(what.from, 1)}
	}))
	return &Subscription{Batches: batches, system: system, pid: pid, failed: failed}
}

// Receive implements actor.Actor.
func (s *sessionActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		// Watch before the first read: what comes between the two is then noticed.
		sendToStore(ctx, s.store, &actors.WatchRequest{})
		s.pump(ctx)
	case *actors.ReadReply:
		s.read(ctx, m)
	case *actors.Advanced:
		if m.Stopped {
			s.fail(ctx, actors.ErrStopped)
			return
		}
		s.stale = s.reading
		if m.Last >= s.next {
			s.idle = false
		}
		s.pump(ctx)
	case *tryAgain:
		s.idle = false
		s.pump(ctx)
	case *acknowledge:
		s.acknowledged(m.through)
		s.pump(ctx)
	case *closeSession:
		s.fail(ctx, m.err)
	case *actor.DeadLetterResponse:
		s.fail(ctx, actors.ErrStopped)
	case *actor.Stopping:
		sendToStore(ctx, s.store, &actors.UnwatchRequest{})
	case *actor.Stopped:
		close(s.batches)
	}
}

// pump asks for the next batch, if there may be one and the subscriber has room for it.
func (s *sessionActor) pump(ctx actor.Context) {
	if s.reading || s.idle || len(s.unacked) >= sessionWindow {
		return
	}
	s.reading, s.stale = true, false
	sendToStore(ctx, s.store, &actors.ReadRequest{From: s.next, Max: sessionBatch, MaxBytes: sessionBatchBytes, Filters: s.filters})
}

func (s *sessionActor) read(ctx actor.Context, m *actors.ReadReply) {
	s.reading = false
	asked := s.next
	s.next = max(s.next, m.Next)
	batch := Batch{Messages: m.Messages, Through: s.next - 1}
	damage := lostIn(m)
	if damage != nil {
		batch.Lost = damage.lost
		ctx.Send(ctx.Parent(), damage)
	}
	if s.next > asked { // also without messages, where they were removed: a reader may wait for that place
		s.unacked = append(s.unacked, batch.Through)
		s.batches <- batch
	}
	switch {
	case damage != nil && s.next > asked:
		s.pump(ctx) // behind it
	case errors.Is(m.Err, actors.ErrOverloaded):
		// Others are first; their end is no event here, so that a timer has to ask again.
		system, self := ctx.ActorSystem(), ctx.Self()
		s.idle = true
		time.AfterFunc(overloadPause, func() { system.Root.Send(self, &tryAgain{}) })
	case m.Err != nil:
		s.fail(ctx, m.Err)
	default:
		s.idle = len(m.Messages) == 0 && !s.stale
		s.pump(ctx)
	}
}

func (s *sessionActor) acknowledged(through uint64) {
	for len(s.unacked) > 0 && s.unacked[0] <= through {
		s.unacked = s.unacked[1:]
	}
}

func (s *sessionActor) fail(ctx actor.Context, err error) {
	s.failed.CompareAndSwap(nil, &err)
	ctx.Stop(ctx.Self())
}
