package actors

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
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
	// StoreRequest stores one message. Reply: *StoreReply.
	StoreRequest struct {
		Subject string
		Header  Header
		Payload []byte
		// ExpectLast, if not nil, refuses the message with ErrSequenceMismatch
		// unless the last sequence is this one.
		ExpectLast *uint64
		Tag        any
	}
	// StoreReply answers StoreRequest and StoreRawRequest.
	StoreReply struct {
		Ack Ack
		Err error
		Tag any
	}

	// StoreRawRequest stores one message with its own sequence and time. Reply:
	// *StoreReply.
	StoreRawRequest struct {
		Message RawMessage
		Tag     any
	}

	// StoreBatchRequest stores all of its messages or none. Reply:
	// *StoreBatchReply.
	StoreBatchRequest struct {
		Messages []BatchMessage
		Tag      any
	}
	// StoreBatchReply answers StoreBatchRequest.
	StoreBatchReply struct {
		Ack BatchAck
		Err error
		Tag any
	}

	// SkipRequest uses up Count sequences from Sequence (0: the next) on. Reply:
	// *SkipReply.
	SkipRequest struct {
		Sequence, Count uint64
		Tag             any
	}
	// SkipReply answers SkipRequest.
	SkipReply struct {
		Last uint64 // last sequence skipped
		Err  error
		Tag  any
	}

	// LoadRequest loads one message. Reply: *LoadReply.
	LoadRequest struct {
		Sequence uint64
		Tag      any
	}
	// LoadReply answers LoadRequest.
	LoadReply struct {
		Message Message
		Err     error
		Tag     any
	}

	// ReadRequest reads messages from a sequence on: at most Max (0: 1,000; no
	// more than 65,536), and no more after MaxBytes of subject, header and payload
	// (0: 1 MiB; no more than 8 MiB). It counts for what these allow, with 128 bytes
	// a message. It gives what the filters select, or everything when there are
	// none. With Reverse it reads downwards, from the last message at or below From
	// on (0: from the last one). Reply: *ReadReply.
	ReadRequest struct {
		From          uint64
		Max, MaxBytes int
		Filters       []Filters
		Reverse       bool
		Tag           any
	}
	// ReadReply answers ReadRequest and LastMessagesRequest. Next is where to go on,
	// behind all that was looked at, damage too; it is From when the request was
	// refused. Fewer messages than asked for, with Next above the last sequence,
	// mean that there are no more now. With Reverse, Next is below all that was
	// looked at, and 0 when there are no more. Err may come with messages that were
	// read before it.
	ReadReply struct {
		Messages []Message
		Next     uint64
		Err      error
		Tag      any
	}

	// StateRequest asks for the state. Reply: *StateReply.
	StateRequest struct{ Tag any }
	// StateReply answers StateRequest.
	StateReply struct {
		State State
		Tag   any
	}

	// FlushRequest is answered when everything before it is durable, whatever
	// the sync level. Reply: *FlushReply.
	FlushRequest struct{ Tag any }
	// FlushReply answers FlushRequest.
	FlushReply struct {
		Err error
		Tag any
	}

	// WatchRequest asks for an *Advanced whenever the last sequence has advanced,
	// the first one at once. Replies are coalesced: one a turn of the store at
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

	// StopRequest stops the store as Store.Stop does. Reply: *StopReply.
	StopRequest struct{ Tag any }
	// StopReply answers StopRequest.
	StopReply struct {
		Err error
		Tag any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreRequest) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreRawRequest) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreBatchRequest) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*LoadReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*ReadReply) IgnoreDeadLetterLogging() {}

// nilRequest stands for a nil pointer. It holds an empty request of its type.
type nilRequest struct{ request any }

var errNilRequest = errors.New("actors: the request is nil")

// unwrap takes a message out of its envelope.
func unwrap(message any) (request any, sender *actor.PID) {
	if e, ok := message.(*actor.MessageEnvelope); ok && e == nil {
		return nil, nil
	}
	_, request, sender = actor.UnwrapEnvelope(message)
	if v := reflect.ValueOf(request); v.Kind() == reflect.Pointer && v.IsNil() {
		request = &nilRequest{reflect.New(v.Type().Elem()).Interface()}
	}
	return request, sender
}

// answer makes the reply to a request that went through the engine.
func answer(request any, r engine.Reply) any {
	switch m := request.(type) {
	case *StoreRequest:
		return &StoreReply{Ack: ackOf(r), Err: r.Err, Tag: m.Tag}
	case *StoreRawRequest:
		return &StoreReply{Ack: ackOf(r), Err: r.Err, Tag: m.Tag}
	case *StoreBatchRequest:
		return &StoreBatchReply{Ack: batchAckOf(r), Err: r.Err, Tag: m.Tag}
	case *SkipRequest:
		return &SkipReply{Last: r.Sequence, Err: r.Err, Tag: m.Tag}
	case *FlushRequest:
		return &FlushReply{Err: r.Err, Tag: m.Tag}
	case *StopRequest:
		return &StopReply{Err: r.Err, Tag: m.Tag}
	}
	return nil
}

// refusal makes the reply to a request that is not carried out.
func (s *stream) refusal(request any, err error) any {
	switch m := request.(type) {
	case *nilRequest:
		return s.refusal(m.request, err)
	case reading:
		return m.refuse(s, err)
	case *StateRequest:
		// It needs no room: the state is there to be read.
		return &StateReply{stateOf(s.published.State()), m.Tag}
	case *WatchRequest, *UnwatchRequest:
		last := s.published.Last()
		if errors.Is(err, ErrStopped) {
			return &Advanced{Last: last, Stopped: true}
		}
		return &Advanced{Last: last, Err: err}
	}
	return answer(request, engine.Reply{Err: err})
}

func ackOf(r engine.Reply) Ack {
	if r.Err != nil {
		return Ack{}
	}
	return Ack{Sequence: r.Sequence, Time: timeOf(r.Time)}
}

func batchAckOf(r engine.Reply) BatchAck {
	if r.Err != nil {
		return BatchAck{}
	}
	return BatchAck{First: r.Sequence - uint64(r.Count) + 1, Last: r.Sequence, Time: timeOf(r.Time)}
}

// onRequest takes a request of an actor.
func (a *storeActor) onRequest(ctx actor.Context, request any, sender *actor.PID) {
	switch m := request.(type) {
	case reading:
		a.readFor(m, sender)
	case *StateRequest:
		a.respond(sender, &StateReply{stateOf(a.published.State()), m.Tag})
	case *WatchRequest:
		a.watchBy(ctx, sender)
	case *UnwatchRequest:
		a.unwatchBy(ctx, sender)
	case *StoreRequest, *StoreRawRequest, *StoreBatchRequest, *SkipRequest, *FlushRequest, *StopRequest:
		a.onOperation(request, sender)
	case *nilRequest:
		a.log.Error("nil request", "type", fmt.Sprintf("%T", m.request))
		a.respond(sender, a.refusal(m, errNilRequest))
	default:
		// Its type alone: it may be a request by value, with payload.
		a.log.Error("unknown request", "type", fmt.Sprintf("%T", request))
	}
}

func (s *stream) respond(to *actor.PID, reply any) {
	if to != nil && reply != nil {
		s.system.Root.Send(to, reply)
	}
}

// onOperation turns a request into an operation of the engine.
func (a *storeActor) onOperation(request any, sender *actor.PID) {
	o := a.ops.get(0)
	o.sender, o.request = sender, request
	err := o.fill(request)
	if err == nil && o.command.Kind != engine.CommandStop {
		o.bytes = cost(&o.command)
		if !a.credits.TryAcquire(o.bytes) {
			err, o.bytes = ErrOverloaded, 0
		}
	}
	if err != nil {
		a.respond(sender, a.refusal(request, err))
		o.recycle()
		return
	}
	if o.command.Kind == engine.CommandStop {
		a.credits.Force() // given back when it is done
	}
	a.step(o)
}

// fill sets the command for a request.
func (o *op) fill(request any) error {
	c := &o.command
	switch m := request.(type) {
	case *StoreRequest:
		c.Kind = engine.CommandStore
		if m.ExpectLast != nil {
			c.ExpectLast, c.HasExpectLast = *m.ExpectLast, true
		}
		return o.fillMessage(m.Subject, m.Header, m.Payload)
	case *StoreRawRequest:
		return o.fillRaw(&m.Message)
	case *StoreBatchRequest:
		return o.fillBatch(m.Messages)
	case *SkipRequest:
		c.Kind, c.Sequence, c.Count = engine.CommandSkip, m.Sequence, m.Count
	case *FlushRequest:
		c.Kind = engine.CommandFlush
	case *StopRequest:
		c.Kind = engine.CommandStop
	}
	return nil
}

func (o *op) fillMessage(subject string, header Header, payload []byte) (err error) {
	if len(header) > 0 {
		if o.scratch, err = header.AppendBlock(o.scratch[:0]); err != nil {
			return err
		}
		o.command.Header = o.scratch
	}
	o.command.Subject, o.command.Payload = subject, payload
	return nil
}

func (o *op) fillRaw(m *RawMessage) (err error) {
	c := &o.command
	c.Kind, c.Sequence, c.CheckDiscardNew = engine.CommandStoreRaw, m.Sequence, m.CheckDiscardNew
	c.Subject, c.Header, c.Payload = m.Subject, m.HeaderBlock, m.Payload
	c.Time, err = nanoseconds(m.Time)
	return err
}

// nanoseconds returns a time in nanoseconds since the epoch, engine.NoTime for the zero time.
func nanoseconds(t time.Time) (int64, error) {
	switch {
	case t.IsZero():
		return engine.NoTime, nil
	case t.Before(read.FirstTime) || t.After(read.LastTime) || t.UnixNano() == engine.NoTime:
		return 0, fmt.Errorf("%w: %v", ErrBadTime, t)
	}
	return t.UnixNano(), nil
}

func (o *op) fillBatch(messages []BatchMessage) (err error) {
	c := &o.command
	c.Kind = engine.CommandStoreBatch
	o.scratch = o.scratch[:0]
	for i := range messages {
		m := &messages[i]
		own := engine.Message{Subject: m.Subject, Payload: m.Payload}
		if len(m.Header) > 0 {
			start := len(o.scratch)
			if o.scratch, err = m.Header.AppendBlock(o.scratch); err != nil {
				return fmt.Errorf("message %d of the batch: %w", i, err)
			}
			own.Header = o.scratch[start:len(o.scratch):len(o.scratch)]
		}
		c.Batch = append(c.Batch, own)
	}
	return nil
}

// opOverhead is what an operation counts for besides its bytes.
const opOverhead = 128

// cost returns the credit that an operation takes, in bytes.
func cost(c *engine.Command) int64 {
	n := opOverhead + len(c.Subject) + len(c.Header) + len(c.Payload)
	for i := range c.Batch {
		m := &c.Batch[i]
		n += opOverhead + len(m.Subject) + len(m.Header) + len(m.Payload)
	}
	return int64(n)
}
