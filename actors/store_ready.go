package actors

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
)

// readyOp waits until the store is usable.
type readyOp struct {
	tell func(error)
	told bool        // of the store actor alone
	left atomic.Bool // nobody waits any more
}

// Control implements mailbox.Control.
func (*readyOp) Control() {}

func (m *readyOp) crashed(a *storeActor, _ error) {
	if !m.told && !slices.Contains(a.readies, m) {
		a.onReady(m)
	}
}

func (m *readyOp) end(err error) {
	if !m.told {
		m.told = true
		m.tell(err)
	}
}

// Ready waits until the store takes writes: at once while it does, and after a failure until it has recovered.
//
// Errors: ErrStopped; ErrFailed when it does not recover by itself, with Config.NoRecovery or as it has crashed too
// often in a row (ErrCrashLoop); and that of the context.
func (s *Store) Ready(ctx context.Context) error {
	if !s.failing.Load() && !s.stopped.Load() {
		return nil
	}
	reply := make(chan error, 1)
	m := &readyOp{tell: func(err error) { reply <- err }}
	if err := s.postControl(m); err != nil {
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-s.gone:
		return ErrStopped
	case <-ctx.Done():
		m.left.Store(true)
		return fmt.Errorf("the store is not ready yet: %w", context.Cause(ctx))
	}
}

func (a *storeActor) onReady(m *readyOp) {
	switch err := a.failedWith(); {
	case a.stopping || a.ended:
		m.end(ErrStopped)
	case err == nil:
		m.end(nil)
	case a.config.NoRecovery || a.gaveUp.Load():
		m.end(err)
	default:
		a.readies = slices.DeleteFunc(a.readies, func(m *readyOp) bool { return m.left.Load() })
		a.readies = append(a.readies, m)
	}
}

// endReadies tells all who wait for the store to be usable.
func (a *storeActor) endReadies(err error) {
	for _, m := range a.readies {
		m.end(err)
	}
	a.readies = nil
}
