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

// Stop completes what was accepted before it, makes it durable, and closes the
// stream: its files, its lock, its actors. It may be called repeatedly and from
// several goroutines; all calls return when the store has stopped, with the same
// error: nil, or why the store had failed. When the context ends first, the store
// stops without what is left: operations on their way end with ErrOutcomeUnknown,
// those that wait for their turn with ErrStopped, and the error wraps the context's
// cause. If the disk hangs then, Stop returns all the same, a second
// later; the error says so, and the directory stays locked until the I/O ends. So
// long waits a caller whose context never ends, if it was alone with its operation:
// it carries that out itself.
func (s *Store) Stop(ctx context.Context) error {
	o := s.ops.get()
	o.command = &engine.Stop{}
	s.credits.Force() // a stop needs no credit; it gives back one
	var early error
	if s.mailbox.Post(o) {
		_, err := o.wait(ctx)
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
			s.system.Root.Stop(s.pid)
			early = fmt.Errorf("stopped before all was done: %w", cause)
		}
	} else { // it is stopping already
		s.credits.Release(0)
		o.recycle()
	}
	if !s.awaitEnd(ctx) {
		return fmt.Errorf("I/O is still under way, the directory is locked until it ends: %w", context.Cause(ctx))
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

// postControl sends the store actor a small request of the handle.
func (s *Store) postControl(message any) error {
	if s.stopped.Load() {
		return ErrStopped
	}
	s.mailbox.PostUserMessage(message)
	return nil
}
