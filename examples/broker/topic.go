package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A Topic is the outside of a topic actor: safe for any number of goroutines. Store is its store, for
// what needs no actor (state, statistics).
type Topic struct {
	Name   string
	Store  *actors.Store
	system *actor.ActorSystem
	pid    *actor.PID
	gone   <-chan struct{}
	notes  *topicNotes
}

// topicNotes are what a topic actor writes down for those who look at it from outside.
type topicNotes struct {
	deleted atomic.Bool                // the stream is being deleted
	bytes   atomic.Uint64              // of subjects and payloads that goroutines have had stored
	full    atomic.Pointer[fullReason] // why the last message was refused; nil when there was room
}

// A fullReason is why there is no room for a message: words for people.
type fullReason string

// closed is the error for those who come too late.
func (n *topicNotes) closed() error {
	if n.deleted.Load() {
		return errDeleted
	}
	return errClosing
}

// note remembers how a message fared.
func (n *topicNotes) note(err error, bytes uint64) {
	var reason fullReason
	switch {
	case err == nil:
		n.bytes.Add(bytes)
	case isFullDisk(err):
		reason = "the last message was refused, as the disk was full"
	case errors.Is(err, actors.ErrMaxBytes), errors.Is(err, actors.ErrMaxMsgs):
		reason = "the stream is full, and refuses new messages"
	default:
		return
	}
	if reason == "" {
		n.full.Store(nil)
		return
	}
	n.full.Store(&reason)
}

// Publish stores one message and returns when it is durable. With actors.ErrOutcomeUnknown, which is also
// the error when ctx ends, the message may or may not be, or become, durable. Any other error means that
// nothing was changed.
func (t *Topic) Publish(ctx context.Context, subject string, header actors.Header, payload []byte, options ...actors.StoreOption) (actors.Ack, error) {
	answers := make(chan publishResult, 1)
	t.system.Root.Send(t.pid, &publish{subject: subject, header: header, payload: payload, options: options, done: answers})
	answer, err := await(ctx, t.gone, answers)
	if err != nil {
		return actors.Ack{}, t.unanswered(err)
	}
	return answer.ack, answer.err
}

// unanswered is what it means that a change got no answer: nothing was done when the topic has ended, since it answers
// all that it has taken; otherwise nobody knows.
func (t *Topic) unanswered(err error) error {
	if errors.Is(err, errClosing) {
		return t.notes.closed()
	}
	return fmt.Errorf("%w: %w", actors.ErrOutcomeUnknown, err)
}

// Subscribe starts a session that replays from a sequence and then follows the stream.
func (t *Topic) Subscribe(ctx context.Context, what reading) (*Subscription, error) {
	answers := make(chan subscribeResult, 1)
	t.system.Root.Send(t.pid, &subscribe{what: what, done: answers})
	answer, err := await(ctx, t.gone, answers)
	if errors.Is(err, errClosing) {
		err = t.notes.closed()
	}
	if err != nil {
		return nil, err
	}
	return answer.subscription, answer.err
}

// topicActor owns one store. It passes messages on to it and replies back, and bounds what is under
// way; it never waits for either.
type topicActor struct {
	config     BrokerConfig
	system     *actor.ActorSystem
	name       string
	maxMsgsPer int64 // of a new stream
	logger     *slog.Logger
	gone       chan struct{}
	ending     *ending
	store      *actors.Store // nil until it is open
	pending    map[asker]struct{}
	notes      *topicNotes
	sessions   map[string]session // by the id of their actor
	following  int                // of them
	losses     lossLog
	closing    bool
	stopping   bool // the store has been asked to stop
}

// A session that a topic has: its actor, and whether it follows the stream or comes to an end.
type session struct {
	pid    *actor.PID
	follow bool
	failed *atomic.Pointer[error] // why it has ended, see Subscription.Err
}

func topicProps(config BrokerConfig, system *actor.ActorSystem, m *topicRequest, entry *topicEntry, ending *ending) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &topicActor{
			config: config, system: system, name: m.name, maxMsgsPer: m.maxMsgsPer, gone: entry.gone, notes: entry.notes, ending: ending,
			logger:   config.Logger.With("stream", m.name),
			pending:  map[asker]struct{}{},
			sessions: map[string]session{},
			losses:   lossLog{logger: config.Logger.With("stream", m.name), told: map[damagedPlace]struct{}{}},
		}
	}, actor.WithSupervisor(stopOnPanic))
}

// Receive implements actor.Actor.
func (t *topicActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		t.open(ctx)
	case *storeOpened:
		t.opened(ctx, m)
	case *publish:
		t.publish(ctx, m)
	case *actors.StoreRequest:
		t.forward(ctx, m)
	case *actors.StoreReply:
		t.stored(ctx, m)
	case *removal:
		t.remove(ctx, m)
	case *actors.RemoveReply:
		count := uint64(0)
		if m.Removed {
			count = 1
		}
		t.removed(ctx, m.Tag, count, m.Err)
	case *actors.PurgeReply:
		t.removed(ctx, m.Tag, m.Removed, m.Err)
	case *subscribe:
		t.subscribe(ctx, m)
	case *damageFound:
		t.losses.warn(m)
	case *publishAll:
		t.publishBatch(ctx, m)
	case *actors.StoreBatchReply:
		t.batchStored(ctx, m)
	case *closeTopic:
		t.close(ctx, m.deleted)
	case *actors.StopReply:
		if m.Err != nil && !t.notes.deleted.Load() {
			t.ending.failed(t.name, m.Err)
		}
		ctx.Stop(ctx.Self())
	case *storeEnded:
		t.storeEnded(ctx)
	case *actor.Terminated:
		t.terminated(ctx, m.Who)
	case *actor.Stopping:
		t.abandon(ctx)
	case *actor.Stopped:
		close(t.gone)
	}
}

// open lets a goroutine open the store: recovery reads the disk, and an actor must not wait for that.
func (t *topicActor) open(ctx actor.Context) {
	system, self, config := t.system, ctx.Self(), streamConfig(t.config, t.name)
	config.MaxMsgsPer = t.maxMsgsPer
	go func() {
		folder := filepath.Join(config.Dir, config.Name)
		_, err := os.Lstat(folder)
		fresh := errors.Is(err, fs.ErrNotExist)
		held, _ := holdsStream(folder) // what cannot be looked at, opening says
		store, err := actors.Open(context.Background(), system, config)
		if err != nil && fresh && !errors.Is(err, actors.ErrLocked) {
			err = errors.Join(err, os.RemoveAll(folder)) // a stream that could not be made leaves nothing
		}
		system.Root.Send(self, &storeOpened{store: store, held: held, err: err})
	}()
}

func (t *topicActor) opened(ctx actor.Context, m *storeOpened) {
	ctx.Send(ctx.Parent(), &topicOpened{name: t.name, store: m.store, held: m.held, err: m.err})
	if m.err != nil {
		return // the broker ends us
	}
	t.store = m.store
	ctx.Watch(t.store.PID())
	t.closeWhenIdle(ctx)
}

// publish passes a goroutine's message on, unless too many are under way.
func (t *topicActor) publish(ctx actor.Context, m *publish) {
	if t.take(m) {
		sendToStore(ctx, t.store, &actors.StoreRequest{
			Subject: m.subject, Header: m.header, Payload: m.payload, Options: m.options, Tag: m,
		})
	}
}

// take reports whether a goroutine's request is taken; if not, it has been answered.
func (t *topicActor) take(m asker) bool {
	switch {
	case t.closing || t.store == nil:
		m.fail(t.notes.closed())
	case len(t.pending) >= t.config.MaxPending:
		m.fail(errBusy)
	default:
		t.pending[m] = struct{}{}
		return true
	}
	return false
}

// answered reports whether a goroutine waits for the answer that has come.
func (t *topicActor) answered(m asker) bool {
	_, waiting := t.pending[m]
	delete(t.pending, m)
	return waiting
}

// forward passes an actor's message on as it is: the store replies to that actor, whose window bounds
// what is under way.
func (t *topicActor) forward(ctx actor.Context, m *actors.StoreRequest) {
	if t.closing || t.store == nil {
		ctx.Respond(&actors.StoreReply{Tag: m.Tag, Err: errClosing})
		return
	}
	ctx.Forward(t.store.PID())
}

func (t *topicActor) stored(ctx actor.Context, m *actors.StoreReply) {
	asked, ours := m.Tag.(*publish)
	if ours && t.answered(asked) {
		t.notes.note(m.Err, uint64(len(asked.subject)+len(asked.payload)))
		asked.done <- publishResult{ack: m.Ack, err: m.Err}
		t.closeWhenIdle(ctx)
	}
}

func (t *topicActor) subscribe(ctx actor.Context, m *subscribe) {
	switch {
	case t.closing || t.store == nil:
		m.done <- subscribeResult{err: t.notes.closed()}
	case m.what.follow && t.following >= t.config.MaxSessions:
		m.done <- subscribeResult{err: fmt.Errorf("%w (%d)", errTooManySessions, t.config.MaxSessions)}
	case !m.what.follow && len(t.sessions)-t.following >= t.config.MaxReads:
		m.done <- subscribeResult{err: fmt.Errorf("%w (%d)", errTooManyReads, t.config.MaxReads)}
	default:
		subscription := spawnSession(ctx, t.system, t.store, m.what)
		t.sessions[subscription.pid.Id] = session{subscription.pid, m.what.follow, subscription.failed}
		if m.what.follow {
			t.following++
		}
		m.done <- subscribeResult{subscription: subscription}
	}
}

// close ends the topic after all that it has taken. Of a stream that is deleted the readers hear that first.
func (t *topicActor) close(ctx actor.Context, deleted bool) {
	t.closing = true
	if deleted {
		t.notes.deleted.Store(true)
		for _, one := range t.sessions {
			// Written down and not only sent: its end, as a child of ours, may overtake what was sent to it.
			err := errDeleted
			one.failed.CompareAndSwap(nil, &err)
			ctx.Send(one.pid, &closeSession{err: err})
		}
	}
	t.closeWhenIdle(ctx)
}

// closeWhenIdle stops the store once every message that was taken has its answer.
func (t *topicActor) closeWhenIdle(ctx actor.Context) {
	if t.closing && t.store != nil && len(t.pending) == 0 && !t.stopping {
		t.stopping = true
		sendToStore(ctx, t.store, &actors.StopRequest{})
	}
}

// terminated hears of the end of a session, or of the store. The notice overtakes messages: what the store
// has answered before is still in the mailbox, so that the end takes its place behind it.
func (t *topicActor) terminated(ctx actor.Context, who *actor.PID) {
	if t.store == nil || !t.store.PID().Equal(who) {
		if t.sessions[who.Id].follow {
			t.following--
		}
		delete(t.sessions, who.Id)
		return
	}
	ctx.Send(ctx.Self(), &storeEnded{})
}

// storeEnded ends the topic with its store, which nobody but us should end. The store has answered every
// message that reached it.
func (t *topicActor) storeEnded(ctx actor.Context) {
	for asked := range t.pending {
		asked.fail(fmt.Errorf("the store has ended: %w", actors.ErrStopped))
		delete(t.pending, asked)
	}
	if !t.stopping {
		t.stopping = true // there is nothing left to stop
		t.logger.Error("the store ended by itself")
		t.ending.failed(t.name, errEnded)
	}
	ctx.Stop(ctx.Self())
}

// abandon answers whoever waits when the topic ends before its store, which only a panic brings about.
// The store may have taken their messages.
func (t *topicActor) abandon(ctx actor.Context) {
	for asked := range t.pending {
		asked.fail(fmt.Errorf("%w: the topic ended", actors.ErrOutcomeUnknown))
		delete(t.pending, asked)
	}
	if t.store != nil && !t.stopping {
		t.stopping = true
		sendToStore(ctx, t.store, &actors.StopRequest{})
	}
}
