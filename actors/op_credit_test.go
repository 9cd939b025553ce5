package actors

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAnAbandonedOperationGivesItsCreditBack: a caller may leave while its operation is in
// the queue. The actor, which comes by it later, does not carry it out.
func TestAnAbandonedOperationGivesItsCreditBack(t *testing.T) {
	var armed atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	store, err := Open(t.Context(), faultSystem, Config{
		Dir: "streams", Name: "S", FS: blocktest.NewMemFS(),
		Runtime: NewRuntime(RuntimeConfig{Clock: func() time.Time {
			if armed.CompareAndSwap(true, false) {
				close(reached)
				<-release
			}
			return time.Now()
		}}),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Stop(context.Background())) }()
	require.NoError(t, store.Flush(t.Context()))
	// The actor looks at the clock before it handles what has arrived, and is kept there.
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	result := make(chan error, 1)
	armed.Store(true)
	go func() {
		_, err := store.StoreMsg(ctx, "a", nil, []byte("payload"))
		result <- err
	}()
	<-reached
	// It may have been a timer that made the actor look, so the operation may still be on its way.
	for ops := int64(0); ops == 0; ops, _ = store.credits.InFlight() {
		runtime.Gosched()
	}
	cancel(cause)
	err = <-result
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "nothing was changed")
	close(release)
	require.NoError(t, store.Flush(t.Context()))
	ops, bytes := store.credits.InFlight()
	require.Zero(t, ops)
	require.Zero(t, bytes, "the credit of the operation is lost")
	require.Zero(t, store.published.Last())
}
