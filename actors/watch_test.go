package actors_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWatchTellsTheLastSequence at once, and the latest whenever it has advanced.
func TestWatchTellsTheLastSequence(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), Sync: level})
			ctx, cancel := context.WithCancel(t.Context())
			last, err := s.Watch(ctx)
			require.NoError(t, err)
			require.Equal(t, uint64(0), <-last)
			for i := range 5 {
				mustStore(t, s, "a", "x")
				synctest.Wait()
				require.Equal(t, uint64(i+1), <-last)
				require.Empty(t, last)
			}
			for range 5 {
				mustStore(t, s, "a", "x")
			}
			synctest.Wait()
			require.Equal(t, uint64(10), <-last, "notices are coalesced")
			require.Empty(t, last)
			late, err := s.Watch(t.Context())
			require.NoError(t, err)
			require.Equal(t, uint64(10), <-late)
			_, err = s.Skip(t.Context(), 0, 7)
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, uint64(17), <-last)
			require.Equal(t, uint64(17), <-late)
			cancel()
			_, ok := <-last
			require.False(t, ok, "closed when its context ends")
			require.NoError(t, s.Stop(t.Context()))
			_, ok = <-late
			require.False(t, ok, "closed when the store stops")
		})
	})
}

func TestWatchOfAnEndedContextIsClosed(t *testing.T) {
	s := open(t, actors.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	last, err := s.Watch(ctx)
	require.NoError(t, err)
	for range last {
	}
}

// TestWatchFollowsWritersWithoutMissingTheEnd: many watches that come and go while
// many store.
func TestWatchFollowsWritersWithoutMissingTheEnd(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever})
	const writers, each = 8, 200
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			last, err := s.Watch(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			before := uint64(0)
			for now := range last {
				if now < before {
					t.Errorf("%d after %d", now, before)
				}
				if before = now; now > 0 {
					if _, err := s.LoadMsg(ctx, now); err != nil {
						t.Errorf("told of %d before it can be loaded: %v", now, err)
					}
				}
				if now == writers*each {
					return
				}
			}
			t.Error("closed too early")
		})
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				last, err := s.Watch(ctx)
				if err != nil {
					t.Error(err)
				}
				go cancel()
				for range last {
				}
			}
		})
	}
	for range writers {
		all.Go(func() {
			for range each {
				if _, err := s.StoreMsg(t.Context(), "a", nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestWatchDoesNotKeepAStoppedStore in memory while its context lives on.
func TestWatchDoesNotKeepAStoppedStore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const stores = 20
	freed := make(chan struct{}, stores)
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	for range stores {
		s, err := actors.Open(ctx, quiet, config)
		require.NoError(t, err)
		_, err = s.Watch(ctx)
		require.NoError(t, err)
		require.NoError(t, s.Stop(ctx))
		_, err = s.Watch(ctx)
		require.ErrorIs(t, err, actors.ErrStopped)
		runtime.AddCleanup(s, func(freed chan struct{}) { freed <- struct{}{} }, freed)
	}
	deadline := time.After(time.Minute)
	for len(freed) < stores-1 { // the last one may still be on the stack
		runtime.GC()
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("%d of %d stopped stores are gone", len(freed), stores)
		}
	}
}

// watcher is an actor that counts who watches it.
type watcher struct {
	user    chan any
	watched chan bool
}

func (w *watcher) SendUserMessage(_ *actor.PID, message any) {
	_, message, _ = actor.UnwrapEnvelope(message)
	w.user <- message
}

func (w *watcher) SendSystemMessage(_ *actor.PID, message any) {
	switch message.(type) {
	case *actor.Watch:
		w.watched <- true
	case *actor.Unwatch:
		w.watched <- false
	}
}

func (*watcher) Stop(*actor.PID) {}

// TestWatchersDoNotKeepTheStore: actors that watch are watched no longer than that.
func TestWatchersDoNotKeepTheStore(t *testing.T) {
	s := open(t, actors.Config{})
	w := &watcher{make(chan any, 10), make(chan bool, 10)}
	id := quiet.ProcessRegistry.NextId()
	pid, ok := quiet.ProcessRegistry.Add(w, id)
	require.True(t, ok)
	defer quiet.ProcessRegistry.Remove(pid)
	send := func(message any) { quiet.Root.RequestWithCustomSender(s.PID(), message, pid) }
	send(&actors.UnwatchRequest{}) // of nothing
	send(&actors.WatchRequest{})
	require.True(t, <-w.watched)
	send(&actors.UnwatchRequest{})
	require.False(t, <-w.watched)
	send(&actors.WatchRequest{})
	require.True(t, <-w.watched)
	require.NoError(t, s.Stop(t.Context()))
	require.False(t, <-w.watched)
	for _, want := range []*actors.Advanced{{}, {}, {Stopped: true}} {
		require.Equal(t, want, <-w.user)
	}
	require.Empty(t, w.user)
	require.Empty(t, w.watched)
}
