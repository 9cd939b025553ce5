package actors_test

import (
	"context"
	"os"
	"path/filepath"
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

// TestAnIdleStreamFollowsAClockThatJumps: its timer is set for tomorrow, and the clock is there before.
func TestAnIdleStreamFollowsAClockThatJumps(t *testing.T) {
	for name, config := range map[string]actors.Config{
		"MaxAge": {MaxAge: 24 * time.Hour},
		"a TTL":  {AllowMsgTTL: actors.On},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ahead atomic.Int64
				config.Dir, config.Name = t.TempDir(), "ORDERS"
				config.Runtime = actors.NewRuntime(actors.RuntimeConfig{
					Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
				})
				ctx := context.Background()
				s, err := actors.Open(ctx, quiet, config)
				require.NoError(t, err)
				var options []actors.StoreOption
				if config.AllowMsgTTL == actors.On {
					options = append(options, actors.TTL(24*time.Hour))
				}
				_, err = s.StoreMsg(ctx, "a", nil, nil, options...)
				require.NoError(t, err)
				<-time.After(time.Hour)
				ahead.Store(int64(24 * time.Hour))
				<-time.After(61 * time.Second)
				stats := s.Stats()
				require.Equal(t, uint64(1), stats.RemovedAge+stats.RemovedTTL) // which does not wake the stream
				require.NoError(t, s.Stop(ctx))
			})
		})
	}
}

// TestAClockThatStandsStillHoldsNothingUp but what grows old by it.
func TestAClockThatStandsStillHoldsNothingUp(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stands := time.Now()
				ctx := context.Background()
				config := actors.Config{
					Dir: t.TempDir(), Name: "ORDERS", Sync: level, MaxAge: time.Hour,
					Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return stands }}),
				}
				s, err := actors.Open(ctx, quiet, config)
				require.NoError(t, err)
				for range 2000 {
					_, err = s.StoreMsg(ctx, "a", nil, nil)
					require.NoError(t, err)
				}
				<-time.After(2 * time.Second)
				state, err := s.FastState(ctx)
				require.NoError(t, err)
				if level == actors.SyncInterval {
					require.Equal(t, uint64(2000), state.Durable, "it is synced within a second")
				}
				info, err := os.Stat(filepath.Join(config.Dir, config.Name, "msgs", "1.blk"))
				require.NoError(t, err)
				require.NotZero(t, info.Size(), "it is written")
				n, err := s.PurgeEx(ctx, actors.Filter("a"), 0, 10)
				require.NoError(t, err)
				require.Equal(t, uint64(1990), n)
				config.MaxMsgs = 5
				require.NoError(t, s.UpdateConfig(ctx, config))
				<-time.After(2 * time.Hour)
				state, err = s.FastState(ctx)
				require.NoError(t, err)
				require.Equal(t, uint64(5), state.Messages, "they do not grow old")
				require.NoError(t, s.Stop(ctx))
			})
		})
	}
}
