package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
)

// What may be on its way at a time.
const (
	mostOps     = 4096
	mostOpBytes = 64 << 20
	opOverhead  = 128
)

// shared is what the handle and the actor of a consumer share: set before the actor is spawned, and safe for concurrent
// use.
type shared struct {
	name          string
	system        *actor.ActorSystem
	source, state *actors.Store
	filters       []actors.Filters
	extend        time.Duration // after which a message that is being handled is kept in progress
	log           *slog.Logger
	inbox         *inbox
	credits       *mailbox.Credits
	gone          chan struct{} // closed when nothing of the consumer runs any more
	final         error         // why it has stopped, nil when it was asked to; set before gone is closed
}

// The states of an operation that a caller waits for.
const (
	opWaiting int32 = iota
	opAnswered
	opAbandoned
)

// op is one request on its way through the actor: of a caller, or of an actor.
type op struct {
	request any
	bytes   int64      // credit that it holds
	done    chan any   // of capacity 1; nil when it is of an actor
	sender  *actor.PID // nil when it is of a caller
	fate    atomic.Int32
	staged  bool // what it wants is on its way to the disk; of the actor alone
	ended   bool // it was answered; of the actor alone
}

// HoldsCredit implements mailbox.Credited.
func (*op) HoldsCredit() {}

// abandoned tells the actor that a caller does not wait any more.
type abandoned struct{ op *op }

// Control implements mailbox.Control.
func (*abandoned) Control() {}

// fromStore is what a store has sent. It goes ahead of requests, and never finds the mailbox full.
type fromStore struct{ message any }

// Control implements mailbox.Control.
func (*fromStore) Control() {}

// inbox is the mailbox of the actor.
type inbox struct{ *mailbox.Mailbox }

// PostUserMessage implements actor.Mailbox.
func (m *inbox) PostUserMessage(message any) {
	switch _, inner, _ := actor.UnwrapEnvelope(message); inner.(type) {
	case *actors.StoreReply, *actors.StoreBatchReply, *actors.ReadReply, *actors.LoadReply, *actors.Notices,
		*actors.ReadyReply, *actors.PurgeReply, *actor.DeadLetterResponse:
		message = &fromStore{inner}
	}
	m.Mailbox.PostUserMessage(message)
}

// request takes a message out of its envelope. One that came by value comes out as a pointer.
func request(message any) (any, *actor.PID) {
	if e, ok := message.(*actor.MessageEnvelope); ok && e == nil {
		return nil, nil
	}
	_, m, sender := actor.UnwrapEnvelope(message)
	if v := reflect.ValueOf(m); v.Kind() == reflect.Struct {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		if known(p.Interface()) {
			m = p.Interface()
		}
	} else if v.Kind() == reflect.Pointer && v.IsNil() && known(m) {
		m = reflect.New(v.Type().Elem()).Interface()
	}
	return m, sender
}

func known(m any) bool {
	switch m.(type) {
	case *PullRequest, *SubscribeRequest, *CreditRequest, *UnsubscribeRequest, *SettleRequest, *PauseRequest, *InfoRequest,
		*NoticesRequest, *StopRequest, *DeleteRequest:
		return true
	}
	return false
}

// refusal makes the reply to a request that is not carried out; nil where there is none.
func refusal(request any, err error) any {
	switch m := request.(type) {
	case *PullRequest:
		return &PullReply{Err: err, Tag: m.Tag}
	case *SubscribeRequest:
		return &Pushed{Err: err, Tag: m.Tag}
	case *SettleRequest:
		return &SettleReply{Err: err, Tag: m.Tag}
	case *PauseRequest:
		return &PauseReply{Err: err, Tag: m.Tag}
	case *InfoRequest:
		return &InfoReply{Err: err, Tag: m.Tag}
	case *NoticesRequest:
		return &NoticesReply{Err: err, Tag: m.Tag}
	case *StopRequest:
		return &StopReply{Err: err, Tag: m.Tag}
	case *DeleteRequest:
		return &StopReply{Err: err, Tag: m.Tag}
	case *CreditRequest, *UnsubscribeRequest:
		return nil
	}
	name := fmt.Sprintf("%T", request)
	return &actors.UnknownReply{Type: name, Err: fmt.Errorf("%w: %s", actors.ErrUnknownRequest, name)}
}

// cost is the credit that a request takes, in bytes.
func cost(request any) int64 {
	bytes := opOverhead
	if m, ok := request.(*SettleRequest); ok {
		bytes += 16 * len(m.Tokens)
		for i := range m.Outputs {
			bytes += opOverhead + len(m.Outputs[i].Subject) + len(m.Outputs[i].Payload)
		}
	}
	return int64(bytes)
}

// reject answers what the mailbox does not take.
func (s *shared) reject(message any) {
	err := ErrOverloaded
	select {
	case <-s.gone:
		err = s.stoppedErr()
	default:
	}
	if o, ok := message.(*op); ok { // it has credit: the mailbox is closed
		s.answer(o, refusal(o.request, s.stoppedErr()))
		return
	}
	if m, sender := request(message); sender != nil {
		s.send(sender, refusal(m, err))
	}
}

// stoppedErr is what is answered when the consumer has stopped.
func (s *shared) stoppedErr() error {
	select {
	case <-s.gone:
		if s.final != nil {
			return fmt.Errorf("%w: %w", ErrStopped, s.final)
		}
	default:
	}
	return ErrStopped
}

func (s *shared) send(to *actor.PID, message any) {
	if to != nil && message != nil {
		s.system.Root.Send(to, message)
	}
}

// answer completes an op. It reports whether somebody has got the reply.
func (s *shared) answer(o *op, reply any) bool {
	o.ended = true
	s.credits.Release(o.bytes)
	if o.done == nil {
		s.send(o.sender, reply)
		return true
	}
	if !o.fate.CompareAndSwap(opWaiting, opAnswered) {
		return false
	}
	o.done <- reply
	return true
}

// stopOnPanic is the strategy for the actor: a panic is a bug, after which nothing in memory can be trusted. The consumer
// stops, and all that wait are told.
type stopOnPanic struct{}

// errPanicked is why a consumer has stopped then.
var errPanicked = errors.New("consumer: panic in its actor")

// HandleFailure implements actor.SupervisorStrategy.
func (stopOnPanic) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any,
) {
	system.Logger().Error("panic in the actor of a consumer; it stops", "actor", child.Id, "reason", reason)
	supervisor.StopChildren(child)
}
