package actors_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// checkStopped: a store that was stopped has either refused an operation, or does not know
// what became of it.
func checkStopped(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, actors.ErrStopped) == errors.Is(err, actors.ErrOutcomeUnknown) || errors.Is(err, actors.ErrFailed) {
		t.Errorf("not an error of a stopped store: %v", err)
	}
}

// TestStopDoesNotWaitForADiskThatHangs longer than a second after its context has
// ended. The directory stays locked until the disk answers.
func TestStopDoesNotWaitForADiskThatHangs(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		synctest.Test(t, func(t *testing.T) {
			fault := blocktest.NewFaultFS(blocktest.NewMemFS())
			config := actors.Config{Dir: "data", FS: fault, Sync: level}
			s := open(t, config)
			mustStore(t, s, "a", "before")
			require.NoError(t, s.Flush(t.Context()))
			hang := make(chan struct{})
			fault.SetHook(func(op blocktest.Op) blocktest.Fault {
				if op.Kind == blocktest.OpSync {
					return blocktest.Fault{Wait: func() { <-hang }}
				}
				return blocktest.Fault{}
			})
			stored := make(chan error, 1)
			go func() {
				_, err := s.StoreMsg(context.Background(), "a", nil, []byte("x"))
				stored <- err
			}()
			synctest.Wait()
			cause := errors.New("enough")
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
			defer cancel()
			begin := time.Now()
			err := s.Stop(ctx)
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "I/O is still under way")
			require.Equal(t, time.Minute+time.Second, time.Since(begin))
			require.ErrorIs(t, s.Stop(ctx), cause, "a second call does not wait for ever, either")
			require.Equal(t, time.Minute+2*time.Second, time.Since(begin))
			if err := <-stored; level == actors.SyncAlways {
				require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
				require.NotErrorIs(t, err, actors.ErrStopped)
			}
			_, err = actors.Open(t.Context(), quiet, withName(config))
			require.ErrorIs(t, err, actors.ErrLocked)
			// A call that has time waits for the end.
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(context.Background()) }()
			synctest.Wait()
			require.Empty(t, stopped)
			close(hang)
			require.NoError(t, <-stopped)
			open(t, config)
		})
	})
}

// TestStopRequestIsAnsweredWhenTheStoreHasStopped, also one that comes when it is
// stopping already.
func TestStopRequestIsAnsweredWhenTheStoreHasStopped(t *testing.T) {
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: fault})
	entered, hang := make(chan struct{}), make(chan struct{})
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			return blocktest.Fault{Wait: func() { close(entered); <-hang }}
		}
		return blocktest.Fault{}
	})
	stored := make(chan error, 1)
	go func() {
		_, err := s.StoreMsg(context.Background(), "a", nil, nil)
		stored <- err
	}()
	<-entered
	quiet.Root.Stop(s.PID())
	err := <-stored
	require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, actors.ErrStopped)
	c := newClient(t, 10)
	require.ErrorIs(t, c.ask(t, s, &actors.FlushRequest{}).(*actors.FlushReply).Err, actors.ErrStopped)
	quiet.Root.Send(c.pid, &send{s.PID(), &actors.StopRequest{Tag: 1}})
	c.ask(t, s, &actors.StateRequest{}) // it has been looked at
	require.Empty(t, c.replies)
	fault.SetHook(nil)
	close(hang)
	require.Equal(t, &actors.StopReply{Tag: 1}, <-c.replies)
	requireStopped(t, s)
}

// TestEveryStopOfAFailedStoreSaysWhy, also when it is not the first.
func TestEveryStopOfAFailedStoreSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := openToFail(t, actors.Config{Dir: "data", FS: fault, NoRecovery: true})
		fault.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpSync {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		first := s.Stop(t.Context())
		require.ErrorIs(t, first, actors.ErrFailed)
		require.ErrorIs(t, first, blocktest.ErrIO)
		require.Equal(t, first, s.Stop(t.Context()))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, first, s.Stop(ended))
	})
}
