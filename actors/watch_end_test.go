package actors

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// TestAWatchWhoseContextEndedBeforeItBeganIsClosed: the end of the context is noticed by
// another goroutine, which may tell the store before the watch itself does.
func TestAWatchWhoseContextEndedBeforeItBeganIsClosed(t *testing.T) {
	a := &storeActor{stream: &stream{published: engine.NewPublished()}}
	w := &watch{last: make(chan uint64, 1)}
	removed := &watchOp{watch: w, remove: true, done: make(chan struct{})}
	a.onWatch(removed)
	<-removed.done
	added := &watchOp{watch: w, done: make(chan struct{})}
	a.onWatch(added)
	<-added.done
	require.Len(t, w.last, 1, "the current sequence comes at once all the same")
	<-w.last
	select {
	case _, ok := <-w.last:
		require.False(t, ok)
	default:
		t.Error("nobody will ever close it")
	}
	require.Empty(t, a.watches, "the store would tell it for ever")
}

// releasable is a context that counts what it has to call when it ends.
type releasable struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int64
}

// Done returns a channel of its own, or context.AfterFunc would turn to the context within.
func (r *releasable) Done() <-chan struct{} { return r.done }

// AfterFunc makes context.AfterFunc use it.
func (r *releasable) AfterFunc(func()) (stop func() bool) {
	r.waiting.Add(1)
	return func() bool { r.waiting.Add(-1); return true }
}

// TestAWatchWhoseStoreEndedBeforeItBeganIsRefused: a store may end between the look
// whether it has and the message to its actor, which nobody answers then.
func TestAWatchWhoseStoreEndedBeforeItBeganIsRefused(t *testing.T) {
	synctest.Test(t, testWatchOfAnEndedStore) // which notices when nothing goes on
}

func testWatchOfAnEndedStore(t *testing.T) {
	store, err := Open(t.Context(), faultSystem, Config{
		Dir: "streams", Name: "S", FS: blocktest.NewMemFS(), Runtime: NewRuntime(RuntimeConfig{}),
	})
	require.NoError(t, err)
	ctx := &releasable{Context: t.Context(), done: make(chan struct{})}
	watched, err := store.Watch(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), ctx.waiting.Load())
	require.NoError(t, store.Stop(t.Context()))
	for range watched {
	}
	require.Zero(t, ctx.waiting.Load(), "the context still knows of a store that has ended")
	for range 2 {
		_, err = store.Watch(ctx)
		require.ErrorIs(t, err, ErrStopped)
		require.Zero(t, ctx.waiting.Load(), "the context still knows of a watch that never was")
		store.stopped.Store(false) // as it was when the watch looked
	}
}
