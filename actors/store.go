package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// Store is an open stream. Its methods are safe for any number of goroutines.
type Store struct {
	*stream
	pid *actor.PID
}

// PID returns the store actor, for StoreRequest and the other messages.
func (s *Store) PID() *actor.PID { return s.pid }

// Name returns the stream's name.
func (s *Store) Name() string { return s.config.Name }

// StoreOption changes what a store does.
type StoreOption func(*engine.Command)

// ExpectLast refuses a store with ErrSequenceMismatch unless the stream's last
// sequence is this one when its turn comes.
func ExpectLast(sequence uint64) StoreOption {
	return func(c *engine.Command) { c.ExpectLast, c.HasExpectLast = sequence, true }
}

// StoreMsg appends a message and returns once it is as durable as the stream's
// sync level says, and visible. header may be nil. The store keeps neither header
// nor payload.
//
// Refusals, which change nothing: ErrMaxMsgs, ErrMaxBytes, ErrTooLarge,
// ErrSequenceMismatch, ErrBadHeader, ErrStopped. After ErrFailed, or when the
// context ends while the message is on its way, the outcome is not known; an
// error that says "nothing was changed" is definite.
func (s *Store) StoreMsg(ctx context.Context, subject string, header Header, payload []byte, opts ...StoreOption) (Ack, error) {
	o := s.ops.get(engine.CommandStore)
	if err := o.fillMessage(subject, header, payload); err != nil {
		o.recycle()
		return Ack{}, err
	}
	for _, opt := range opts {
		opt(&o.command)
	}
	r, err := s.run(ctx, o)
	return ackOf(r), err
}

// StoreRaw appends a message with a sequence and a time of its own, as StoreMsg
// does otherwise. The time is stored as it is, also when it lies before that of
// the message before; the zero time is stored as no time, and one that the format
// cannot hold is refused with ErrBadTime.
func (s *Store) StoreRaw(ctx context.Context, m RawMessage) (Ack, error) {
	o := s.ops.get(engine.CommandStoreRaw)
	if err := o.fillRaw(&m); err != nil {
		o.recycle()
		return Ack{}, err
	}
	r, err := s.run(ctx, o)
	return ackOf(r), err
}

// StoreBatch appends all messages or none, also across a crash: readers and
// recovery never see a part. (At SyncInterval and SyncNever a power loss may take
// any of what was not synced, a part of a batch too.) A batch is refused with
// ErrTooLarge when its records exceed 32 MiB. Other errors are those of StoreMsg.
// (A nats-server that opens the files of a crashed store before Millrace has
// recovered them may see the first messages of a batch that was not
// acknowledged.)
func (s *Store) StoreBatch(ctx context.Context, messages []BatchMessage, opts ...StoreOption) (BatchAck, error) {
	o := s.ops.get(engine.CommandStoreBatch)
	if err := o.fillBatch(messages); err != nil {
		o.recycle()
		return BatchAck{}, err
	}
	for _, opt := range opts {
		opt(&o.command)
	}
	r, err := s.run(ctx, o)
	return batchAckOf(r), err
}

// Skip uses up count sequences without messages, from sequence (0: the next one)
// on, at the cost of one small record. It returns the last of them. A sequence
// that is not the next one is refused with ErrSequenceMismatch.
func (s *Store) Skip(ctx context.Context, sequence, count uint64) (uint64, error) {
	o := s.ops.get(engine.CommandSkip)
	o.command.Sequence, o.command.Count = sequence, count
	r, err := s.run(ctx, o)
	return r.Sequence, err
}

// Flush returns when everything that was accepted before it is on stable
// storage, whatever the sync level.
func (s *Store) Flush(ctx context.Context) error {
	_, err := s.run(ctx, s.ops.get(engine.CommandFlush))
	return err
}

// Stop completes what was accepted before it, makes it durable, and closes the
// stream: its files, its lock, its actors. It may be called repeatedly and from
// several goroutines; all calls return when the store has stopped, with the same
// error: nil, or why the store had failed. When the context ends first, what is
// left is failed with ErrStopped, the store stops without it, and the error wraps
// the context's cause. If the disk hangs then, Stop returns all the same, a second
// later; the error says so, and the directory stays locked until the I/O ends.
func (s *Store) Stop(ctx context.Context) error {
	o := s.ops.get(engine.CommandStop)
	o.bytes = 0
	s.credits.Force() // a stop needs no credit; it gives back one
	var early error
	if s.mailbox.Post(o) {
		_, err := o.wait(ctx)
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
			s.system.Root.Stop(s.pid)
			early = fmt.Errorf("actors: stopped before all was done: %w", cause)
		}
	} else { // it is stopping already
		s.credits.Release(0)
		o.recycle()
	}
	if !s.awaitEnd(ctx) {
		return fmt.Errorf("actors: I/O is still under way, the directory is locked until it ends: %w", context.Cause(ctx))
	}
	return errors.Join(early, s.final)
}

// stopPatience is how long a Stop whose context has ended waits for I/O that is
// under way.
const stopPatience = time.Second

// awaitEnd waits until the store has stopped. It reports false when it has not a
// while after the context ended.
func (s *Store) awaitEnd(ctx context.Context) bool {
	select {
	case <-s.gone:
		return true
	case <-ctx.Done():
	}
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case <-s.gone:
		return true
	case <-patience.C:
		return false
	}
}

// run takes credit for an operation, posts it, and waits for its reply.
func (s *Store) run(ctx context.Context, o *op) (engine.Reply, error) {
	o.bytes = cost(&o.command)
	if err := s.credits.Acquire(ctx, o.bytes, s.gone); err != nil {
		o.recycle()
		return engine.Reply{}, err
	}
	if !s.mailbox.Post(o) {
		s.credits.Release(o.bytes)
		o.recycle()
		return engine.Reply{}, ErrStopped
	}
	return o.wait(ctx)
}

// postControl sends the store actor a small request of the handle.
func (s *Store) postControl(message any) error {
	if s.stopped.Load() {
		return ErrStopped
	}
	s.mailbox.PostUserMessage(message)
	return nil
}
