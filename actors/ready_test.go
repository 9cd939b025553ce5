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

// failing makes every sync fail until the function that it returns is called.
func failing(files *blocktest.FaultFS) (heal func()) {
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	return func() { files.SetHook(nil) }
}

// TestReadyWaitsForTheRecovery, for callers and for actors; the end of a context ends it.
func TestReadyWaitsForTheRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := openToFail(t, actors.Config{Dir: "data", FS: files})
		require.NoError(t, s.Ready(t.Context()))
		c := newClient(t, 10)
		require.Equal(t, &actors.ReadyReply{Tag: 1}, c.ask(t, s, &actors.ReadyRequest{Tag: 1}))
		heal := failing(files)
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)

		cause := errors.New("enough")
		for range 100 {
			ended, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
			require.ErrorIs(t, s.Ready(ended), cause)
			cancel()
		}
		ready := make(chan error, 1)
		go func() { ready <- s.Ready(t.Context()) }()
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.ReadyRequest{Tag: 2}})
		<-time.After(time.Minute)
		synctest.Wait()
		require.Empty(t, ready)
		require.Empty(t, c.replies)
		heal()
		require.NoError(t, <-ready)
		require.False(t, s.Stats().Failed)
		mustStore(t, s, "a", "after")
		require.Equal(t, &actors.ReadyReply{Tag: 2}, <-c.replies)

		heal = failing(files)
		_, err = s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		go func() { ready <- s.Ready(t.Context()) }()
		synctest.Wait()
		require.ErrorIs(t, s.Stop(t.Context()), actors.ErrFailed)
		require.ErrorIs(t, <-ready, actors.ErrStopped)
		require.ErrorIs(t, s.Ready(t.Context()), actors.ErrStopped)
		heal()
	})
}

// TestReadyOfAStoreThatStaysFailed does not wait.
func TestReadyOfAStoreThatStaysFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := openToFail(t, actors.Config{Dir: "data", FS: files, NoRecovery: true})
		heal := failing(files)
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		heal()
		err = s.Ready(t.Context())
		require.ErrorIs(t, err, actors.ErrFailed)
		require.ErrorIs(t, err, blocktest.ErrIO)
		require.ErrorIs(t, s.Stop(t.Context()), actors.ErrFailed)
	})
}

// TestPanicInAFunctionThatTakesNoticesHurtsNobody else, and the next notices come.
func TestPanicInAFunctionThatTakesNoticesHurtsNobody(t *testing.T) {
	s := open(t, actors.Config{})
	calls := 0
	taker, err := s.Notices(t.Context(), func([]actors.Notice) { calls++; panic("the caller's") })
	require.NoError(t, err)
	require.NoError(t, taker.Wait(t.Context()))
	mustStore(t, s, "a", "1")
	require.NoError(t, taker.Wait(t.Context()))
	mustStore(t, s, "a", "2")
	require.NoError(t, taker.Wait(t.Context()))
	require.Equal(t, 3, calls)
}
