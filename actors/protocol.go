package actors

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// The messages that actors send to Store.PID, with actor.Context.Request so that
// the reply finds its way back. Every request gets exactly one reply, of the
// type that its comment names, with the request's Tag; an actor beyond the
// credit of the stream gets one with ErrOverloaded. Slices belong to the store until
// the reply. A request to a store that is gone is answered by the actor library, with
// actor.DeadLetterResponse.
//
// Requests that read are carried out beside the store actor, as many at a time as
// RuntimeConfig.Workers says, in no order. They have credit of their own, for 1,024 of
// them and Config.MaxInFlightBytes: each counts for 128 bytes and the most that its
// reply may take, or for 64 KiB where that is one message. One that is larger than all
// the credit is carried out when it comes alone. What replies hold is the receiver's.
type (
	// StateRequest asks for the state. Reply: *StateReply.
	StateRequest struct{ Tag any }
	// StateReply answers StateRequest. Failed is what writes are refused with since a failure, as of Store.Err.
	StateReply struct {
		State  State
		Failed error
		Tag    any
	}

	// WatchRequest asks for an *Advanced whenever the last sequence has advanced or
	// messages were removed, the first one at once. Replies are coalesced: one a turn of the store at
	// most. An UnwatchRequest of the same sender, or its end, stops it.
	WatchRequest struct{}
	// UnwatchRequest ends what WatchRequest began. It has no reply, unless it is
	// refused.
	UnwatchRequest struct{}
	// Advanced tells a watcher the last sequence. Stopped is true in the last
	// one, when the store has stopped. Err is ErrOverloaded when a WatchRequest or
	// an UnwatchRequest was refused.
	Advanced struct {
		Last    uint64
		Stopped bool
		Err     error
	}
)

// UnknownReply answers a message that is no request of a store. Err is ErrUnknownRequest.
type UnknownReply struct {
	Type string // of the message, as Go writes it
	Err  error
}

// unknown answers with the type alone: a message of somebody else's may hold anything.
func unknown(message any) *UnknownReply {
	name := fmt.Sprintf("%T", message)
	return &UnknownReply{name, fmt.Errorf("%w: %s", ErrUnknownRequest, name)}
}

// nilRequest stands for a nil pointer. It holds an empty request of its type.
type nilRequest struct{ request any }

var errNilRequest = errors.New("the request is nil")

// unwrap takes a message out of its envelope.
func unwrap(message any) (request any, sender *actor.PID) {
	if e, ok := message.(*actor.MessageEnvelope); ok && e == nil {
		return nil, nil
	}
	_, request, sender = actor.UnwrapEnvelope(message)
	switch v := reflect.ValueOf(request); {
	case v.Kind() == reflect.Pointer && v.IsNil():
		request = &nilRequest{reflect.New(v.Type().Elem()).Interface()}
	case v.Kind() == reflect.Struct:
		request = byPointer(v)
	}
	return request, sender
}

// byPointer returns a request that came by value as the others come; anything else as it is.
func byPointer(v reflect.Value) any {
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	switch request := pointer.Interface().(type) {
	case reading, writing, *StateRequest, *ReadyRequest, *DeleteRequest, *WatchRequest, *UnwatchRequest, *NoticesRequest, *EndNoticesRequest:
		return request
	}
	return v.Interface()
}

// refusal makes the reply to a request that is not carried out.
func (s *stream) refusal(request any, err error) any {
	switch m := request.(type) {
	case *nilRequest:
		return s.refusal(m.request, err)
	case reading:
		return m.refuse(s, err)
	case writing:
		return m.answer(engine.Reply{Err: err})
	case *StateRequest:
		// It needs no room: the state is there to be read.
		return &StateReply{stateOf(s.published.State()), s.failedWith(), m.Tag}
	case *ReadyRequest:
		return &ReadyReply{err, m.Tag}
	case *DeleteRequest:
		return &DeleteReply{err, m.Tag}
	case *NoticesRequest:
		return &Notices{Stopped: errors.Is(err, ErrStopped), Err: err, Tag: m.Tag}
	case *EndNoticesRequest:
		return &Notices{Stopped: errors.Is(err, ErrStopped), Err: err}
	case *WatchRequest, *UnwatchRequest:
		last := s.published.Last()
		if errors.Is(err, ErrStopped) {
			return &Advanced{Last: last, Stopped: true}
		}
		return &Advanced{Last: last, Err: err}
	}
	return unknown(request)
}

// onRequest takes a request of an actor.
func (a *storeActor) onRequest(ctx actor.Context, request any, sender *actor.PID) {
	switch m := request.(type) {
	case reading:
		a.readFor(m, sender)
	case writing:
		a.writeFor(m, sender)
	case *StateRequest:
		a.respond(sender, &StateReply{stateOf(a.published.State()), a.failedWith(), m.Tag})
	case *ReadyRequest:
		a.readyBy(m, sender)
	case *DeleteRequest:
		a.deleteBy(m, sender)
	case *WatchRequest:
		a.watchBy(ctx, sender)
	case *UnwatchRequest:
		a.unwatchBy(ctx, sender)
	case *NoticesRequest:
		a.noticesBy(ctx, m, sender)
	case *EndNoticesRequest:
		a.endNoticesBy(ctx, sender)
	case *nilRequest:
		a.log.Error("nil request", "type", fmt.Sprintf("%T", m.request))
		a.respond(sender, a.refusal(m, errNilRequest))
	default:
		reply := unknown(request)
		a.log.Error("unknown request", "type", reply.Type)
		a.respond(sender, reply)
	}
}

func (s *stream) respond(to *actor.PID, reply any) {
	if to != nil && reply != nil {
		s.system.Root.Send(to, reply)
	}
}
