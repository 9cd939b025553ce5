package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
)

// The way of a message through the actor of a consumer:
//
//  1. Somebody asks for messages (requests.go). At the end of each round of the mailbox, pump (deliver.go) asks the state
//     machine what is next, and reads ahead from the stream for it (reads.go).
//  2. A message that is delivered is an event of the state machine, as is every verdict. What has gathered goes to the stream with
//     the state as one message, with the outputs of acknowledgements as one batch, if none is on its way (commit.go).
//  3. When that is stored, whatever depended on it is answered: messages are handed out, and verdicts confirmed. So nothing
//     that was seen outside is forgotten by a crash, and a delivery counts although its receiver took the process down.
//  4. After an error the state is read again (reload.go). Messages that were not handed out are delivered anew.
//
// The actor never waits: it sends requests to the stores, and goroutines of its own read what takes long.

// consumerActor owns a consumer.
type consumerActor struct {
	*shared
	ctx  actor.Context // of its turns
	self *actor.PID
	core *cursor.Cursor
	has  stored
	*clock

	// Asked for by others.
	ops         map[*op]struct{} // that are not answered
	pulls       []*pull          // that wait, in order
	subscribers map[string]*subscriber
	ring        []*subscriber // the subscribers, whose turn is next first
	noticeOps   []*op         // that wait for a notice
	told        uint64        // number of the latest notice that they were looked at for
	durable     uint64        // number of the latest notice that is durable
	parked      []*op         // changes that wait: until the state is read again, or for the next group
	blamed      *op           // whose outputs were refused, unless somebody else has the consumer
	blame       error         // why
	isolating   bool          // each acknowledgement with outputs has a group of its own
	stops       []*op
	maxWaiting  int

	// Read from the stream.
	set       subjects
	era       uint64           // raised when the state was read again
	view      uint64           // raised when what was read ahead is of no use any more
	buffer    []actors.Message // read ahead
	next      uint64           // where the next read begins
	reading   bool
	loads     int                 // loads on their way
	lastsRead bool                // the last messages of subjects are in the buffer, or were
	caughtUp  bool                // there is nothing to read until a message is stored
	stored    uint64              // raised when there may be something to read
	removed   map[uint64]struct{} // while a read was on its way
	truncated bool                // the next stored message may have a sequence that was there before
	rewindTo  uint64              // what is to be done when the state is there again; 0: nothing
	looking   bool                // at which of the messages that are not settled are there
	lookAgain bool
	retryAt   int64 // nothing is read before

	// On its way to the stream with the state.
	journal journal
	current *group
	flight  *group
	mode    mode
	failure error // what verdicts are refused with while mode is failed
	failed  int   // how often in a row the state could not be stored
	readyAt int64 // when to ask the store again whether it takes writes

	life     context.Context // of the goroutines
	endLife  context.CancelFunc
	timer    *time.Timer
	stopping bool
	cause    error        // why, if nobody has asked for it
	ended    []*actor.PID // of the stores
	deleting deleting
	inTurn   bool // Receive has not returned
}

// mode is what the actor can do with its state.
type mode uint8

const (
	running   mode = iota
	reloading      // the state is being read
	failed         // the stream with the state takes no writes
)

// deleting is how far a deletion has come.
type deleting uint8

const (
	notDeleting deleting = iota
	toDelete
	purging
	deleted
)

// tick wakes the actor at a time.
type tick struct{}

// Control implements mailbox.Control.
func (*tick) Control() {}

// Receive implements actor.Actor.
func (a *consumerActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping:
		return
	case *actor.Stopped:
		a.onStopped()
		return
	}
	a.inTurn = true
	a.receive(ctx)
	a.inTurn = false
}

func (a *consumerActor) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *mailbox.Batch:
		for m.Next < len(m.Messages) {
			m.Next++
			a.onData(m.Messages[m.Next-1])
		}
	case *mailbox.TurnEnd:
		a.turnEnd(ctx)
	case *fromStore:
		a.onStore(m.message)
	case *tick:
	case *resend:
		if m.group == a.flight && a.flight != nil {
			a.storeFlight()
		}
	case *askNotices:
		a.ask(a.source, &actors.NoticesRequest{})
	case *looked:
		a.onLooked(m)
	case *reloaded:
		a.onReloaded(m)
	case *abandoned:
		a.onAbandoned(m.op)
	case *actor.Started:
		a.onStarted(ctx)
	case *actor.Terminated:
		a.onTerminated(m.Who)
	}
}

func (a *consumerActor) onStarted(ctx actor.Context) {
	a.ctx, a.self = ctx, ctx.Self()
	a.current = &group{}
	ctx.Watch(a.source.PID())
	ctx.Watch(a.state.PID())
	a.ask(a.source, &actors.NoticesRequest{})
	a.look()
}

// ask sends a store a request, whose reply comes to onStore.
func (a *consumerActor) ask(store *actors.Store, request any) {
	a.system.Root.RequestWithCustomSender(store.PID(), request, a.self)
}

// onData takes a request.
func (a *consumerActor) onData(message any) {
	o, ours := message.(*op)
	if !ours {
		m, sender := request(message)
		o = &op{request: m, sender: sender, bytes: cost(m)}
		switch m.(type) {
		case *StopRequest, *DeleteRequest:
			o.bytes = 0
			a.credits.Force()
		default:
			if !a.credits.TryAcquire(o.bytes) {
				a.send(sender, refusal(m, ErrOverloaded))
				return
			}
		}
	}
	a.ops[o] = struct{}{}
	a.handle(o)
}

// finish answers an op, once. It reports whether somebody has got the reply.
func (a *consumerActor) finish(o *op, reply any) bool {
	if o.ended {
		return true
	}
	delete(a.ops, o)
	return a.answer(o, reply)
}

// onStore takes what a store has sent.
func (a *consumerActor) onStore(message any) {
	switch m := message.(type) {
	case *actors.ReadReply:
		a.onRead(m)
	case *actors.LoadReply:
		a.onLoad(m)
	case *actors.Notices:
		a.onNotices(m)
	case *actors.StoreReply:
		a.onCommitted(actors.BatchAck{First: m.Ack.Sequence, Last: m.Ack.Sequence, Time: m.Ack.Time}, m.Err, m.Tag)
	case *actors.StoreBatchReply:
		a.onCommitted(m.Ack, m.Err, m.Tag)
	case *actors.ReadyReply:
		a.onReady(m.Err)
	case *actors.PurgeReply:
		a.onPurged(m.Err)
	case *actor.DeadLetterResponse: // a store is gone, of which the actor is told as it watches it
	}
}

// onTerminated is told that an actor has ended: a subscriber, or a store.
func (a *consumerActor) onTerminated(who *actor.PID) {
	if s := a.subscribers[pidKey(who)]; s != nil {
		a.unsubscribe(s)
	}
	if who.Equal(a.source.PID()) || who.Equal(a.state.PID()) {
		a.ended = append(a.ended, who)
		a.stop(ErrStreamStopped)
		if who.Equal(a.state.PID()) {
			a.fail(ErrStreamStopped)
			a.onPurged(ErrStreamStopped) // if it has not answered, it will not
		}
	}
}

// hasEnded reports whether the actor was told that a store has ended.
func (a *consumerActor) hasEnded(store *actors.Store) bool {
	return slices.ContainsFunc(a.ended, store.PID().Equal)
}

// pidKey names an actor.
func pidKey(pid *actor.PID) string { return pid.Address + "/" + pid.Id }

// turnEnd does what the messages of a round have made possible.
func (a *consumerActor) turnEnd(ctx actor.Context) {
	now := a.now()
	if a.core.Ahead = a.ahead; a.mode == running {
		a.core.Expire(now)
		a.pump(now)
	}
	a.completePulls(now)
	a.completeSubscribers()
	a.tellNotices()
	a.commit()
	if a.mode == failed && now >= a.readyAt && !a.stopping {
		a.readyAt = math.MaxInt64
		a.ask(a.state, &actors.ReadyRequest{})
	}
	a.maybeStop(ctx)
	a.setTimer(now)
}

// setTimer has the actor woken when there is something to do.
func (a *consumerActor) setTimer(now int64) {
	at := int64(math.MaxInt64)
	switch {
	case a.mode == running:
		at = a.core.WakeAt(now)
	case a.mode == failed:
		at = a.readyAt
	}
	if a.retryAt > now {
		at = min(at, a.retryAt)
	}
	for _, p := range a.pulls {
		if p.expires > 0 {
			at = min(at, p.expires)
		}
		if p.goes > 0 {
			at = min(at, p.goes)
		}
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	if at == math.MaxInt64 || a.stopping {
		return
	}
	wait := time.Duration(max(at-now, 0))
	if a.timer == nil {
		box := a.inbox
		a.timer = time.AfterFunc(wait, func() { box.PostUserMessage(&tick{}) })
		return
	}
	a.timer.Reset(wait)
}

// stop begins to stop. cause is nil when somebody asked for it.
func (a *consumerActor) stop(cause error) {
	if !a.stopping {
		a.stopping, a.cause = true, cause
	}
}

// maybeStop stops the actor when nothing is left to be done.
func (a *consumerActor) maybeStop(ctx actor.Context) {
	if !a.stopping || a.flight != nil {
		return
	}
	if a.mode == running && (a.current.waits() || a.core.Changed()) {
		return // it goes on when the group that is gathering is stored
	}
	switch a.deleting {
	case toDelete:
		a.deleting = purging
		if a.hasEnded(a.state) {
			a.onPurged(ErrStreamStopped)
			break
		}
		a.ask(a.state, &actors.PurgeRequest{Filters: []actors.Filters{subjectsOfState(a.journal.subject)}})
		return
	case purging:
		return
	}
	ctx.Stop(a.self)
}

func (a *consumerActor) onPurged(err error) {
	if a.deleting != purging {
		return
	}
	a.deleting = deleted
	for _, o := range a.stops {
		if m, ok := o.request.(*DeleteRequest); ok && err != nil {
			a.finish(o, &StopReply{Err: fmt.Errorf("consumer: its state is not removed: %w", err), Tag: m.Tag})
		}
	}
}

// onStopped tells all that wait, and ends what is left of the consumer.
func (a *consumerActor) onStopped() {
	a.endLife()
	if a.timer != nil {
		a.timer.Stop()
	}
	switch {
	case a.inTurn:
		a.cause = errPanicked
	case !a.stopping:
		a.cause = errors.New("consumer: its actor was stopped")
	}
	for _, store := range []*actors.Store{a.source, a.state} { // else they would tell a dead actor of their end
		if !a.hasEnded(store) {
			a.ctx.Unwatch(store.PID())
		}
	}
	a.final = a.cause
	close(a.gone)
	a.inbox.Close()
	for _, s := range a.ring {
		a.ctx.Unwatch(s.pid)
		a.send(s.pid, &Pushed{Err: a.stoppedErr(), Tag: s.tag})
	}
	for o := range a.ops {
		a.finish(o, a.lastReply(o))
	}
}

// lastReply is the answer to an op when the actor has ended.
func (a *consumerActor) lastReply(o *op) any {
	switch m := o.request.(type) {
	case *StopRequest:
		return &StopReply{Err: a.cause, Tag: m.Tag}
	case *DeleteRequest:
		if a.deleting == deleted {
			return &StopReply{Tag: m.Tag}
		}
	}
	if o.staged {
		return refusal(o.request, fmt.Errorf("%w: %w", ErrOutcomeUnknown, a.stoppedErr()))
	}
	return refusal(o.request, a.stoppedErr())
}
