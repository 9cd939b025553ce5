package actors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestAClockThatJumpsAheadPutsNothingOff: the timer that was set before goes off when it was to, which may be long after
// what is due next by the clock as it is now: a sync in the background, what has outlived its TTL, and the end of a change
// of the limits. So it is with a machine that was asleep.
func TestAClockThatJumpsAheadPutsNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		ctx := context.Background()
		s, err := actors.Open(ctx, quiet, actors.Config{
			Dir: t.TempDir(), Name: "ORDERS", Sync: actors.SyncInterval, AllowMsgTTL: actors.On,
			Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clock}),
		})
		require.NoError(t, err)
		_, err = s.StoreMsg(ctx, "a", nil, nil, actors.TTL(24*time.Hour))
		require.NoError(t, err)
		require.NoError(t, s.Flush(ctx))
		<-time.After(time.Minute) // nothing is left to be done but what is due tomorrow

		ahead.Store(int64(48 * time.Hour))
		_, err = s.StoreMsg(ctx, "b", nil, nil, actors.TTL(5*time.Second))
		require.NoError(t, err)
		<-time.After(2 * time.Second)
		state, err := s.FastState(ctx)
		require.NoError(t, err)
		require.Equal(t, uint64(1), state.Messages)
		require.Equal(t, uint64(2), state.Durable, "it is synced within a second")
		<-time.After(4 * time.Second)
		state, err = s.FastState(ctx)
		require.NoError(t, err)
		require.Zero(t, state.Messages)
		require.NoError(t, s.Stop(ctx))
	})
}
