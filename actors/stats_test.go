package actors_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWatchesAndFollowersAreCounted while they are there, and not longer.
func TestWatchesAndFollowersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := quiet
		s, err := actors.Open(t.Context(), system, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Runtime: actors.NewRuntime(actors.RuntimeConfig{})})
		require.NoError(t, err)
		is := func(watches, followers int) {
			t.Helper()
			synctest.Wait()
			stats := s.Stats()
			require.Equal(t, [2]int{watches, followers}, [2]int{stats.Watches, stats.Followers})
		}
		is(0, 0)
		first, end := context.WithCancel(t.Context())
		_, err = s.Watch(first)
		require.NoError(t, err)
		is(1, 0)
		following, leave := context.WithCancel(t.Context())
		go func() {
			for range s.Messages(following, actors.Follow()) {
			}
		}()
		is(2, 1)
		watcher := system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*actor.Started); ok {
				c.Request(s.PID(), &actors.WatchRequest{})
			}
		}))
		is(3, 1)
		leave()
		is(2, 0)
		end()
		is(1, 0)
		system.Root.Stop(watcher)
		is(0, 0)
		_, err = s.Watch(t.Context())
		require.NoError(t, err)
		is(1, 0)
		require.NoError(t, s.Stop(t.Context()))
		is(0, 0)
	})
}

// TestStatsHaveTheLimits that are in force, also when they have changed.
func TestStatsHaveTheLimits(t *testing.T) {
	config := actors.Config{Name: "ORDERS", Dir: t.TempDir(), MaxMsgs: 3, MaxBytes: 1 << 20, MaxInFlight: 5, MaxInFlightBytes: 6 << 20}
	s := open(t, config)
	stats := s.Stats()
	require.Equal(t, s.Limits(), stats.Limits)
	require.Equal(t, int64(3), stats.Limits.MaxMsgs)
	require.Equal(t, int64(1<<20), stats.Limits.MaxBytes)
	require.Equal(t, []int64{5, 6 << 20}, []int64{stats.MaxInFlight, stats.MaxInFlightBytes})
	require.Equal(t, config.Dir, stats.Dir)
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 4, MaxAge: time.Hour}))
	require.Equal(t, int64(4), s.Stats().Limits.MaxMsgs)
	require.Equal(t, time.Hour, s.Stats().Limits.MaxAge)
}

// TestStatsHaveTheLastFailure, when it was, also after the store has recovered.
func TestStatsHaveTheLastFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s, err := actors.Open(t.Context(), quiet, actors.Config{
			Dir: "data", Name: "ORDERS", FS: files, Runtime: actors.NewRuntime(actors.RuntimeConfig{}), RetryMin: time.Second,
		})
		require.NoError(t, err)
		mustStore(t, s, "a", "x")
		require.True(t, s.Stats().LastFailure.IsZero())
		for range 2 {
			<-time.After(time.Hour)
			files.SetHook(func(op blocktest.Op) (fault blocktest.Fault) {
				if op.Kind == blocktest.OpWrite {
					fault.Err = blocktest.ErrIO
				}
				return fault
			})
			failed := time.Now()
			_, err = s.StoreMsg(t.Context(), "a", nil, nil)
			require.ErrorIs(t, err, actors.ErrFailed)
			files.SetHook(nil)
			require.NoError(t, s.Ready(t.Context()))
			stats := s.Stats()
			require.Greater(t, time.Since(failed), 500*time.Millisecond)
			require.WithinDuration(t, failed, stats.LastFailure, 0)
			require.NotZero(t, stats.Failures)
		}
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestRuntimeStats: what is held shows, and goes.
func TestRuntimeStats(t *testing.T) {
	var c clock
	rt := actors.NewRuntime(actors.RuntimeConfig{Clock: c.now, MaxOpenFiles: 7, IndexBytes: 1 << 20, SpareBytes: 8 << 20, TailBytes: 16 << 20, Workers: 3})
	empty := rt.Stats()
	require.Equal(t, actors.RuntimeStats{
		MaxOpenFiles: 7, MaxIndexBytes: 1 << 20, MaxSpareBytes: 8 << 20, MaxTailBytes: 16 << 20, MaxChunkBytes: empty.MaxChunkBytes,
		Short: actors.Workers{Most: 3}, Long: actors.Workers{Most: 3}, Builds: actors.Workers{Most: 3},
	}, empty)
	require.Positive(t, empty.MaxChunkBytes)
	s := open(t, actors.Config{Runtime: rt, Sync: actors.SyncNever})
	for i := range 300 {
		mustStore(t, s, subjects[i], string(make([]byte, 64<<10)))
	}
	require.Positive(t, rt.Stats().TailBytes)
	dropMemory(t, s, &c)
	for sequence := range uint64(299) {
		_, err := s.LoadMsg(t.Context(), sequence+1)
		require.NoError(t, err)
	}
	held := rt.Stats()
	require.Positive(t, held.Blocks)
	require.LessOrEqual(t, held.Blocks, 7)
	open := 0
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		if m.Sequence < 100 {
			open = max(open, rt.Stats().OpenFiles)
		}
	}
	require.Positive(t, open)
	require.Positive(t, held.IndexBytes+held.PageBytes)
	require.NoError(t, s.Stop(t.Context()))
	require.Zero(t, rt.Stats().OpenFiles)
	require.Zero(t, rt.Stats().Blocks)
	require.Zero(t, rt.Stats().TailBytes)
}

// TestDiskSpaceIsKnownWhereTheFileSystemTellsIt.
func TestDiskSpaceIsKnownWhereTheFileSystemTellsIt(t *testing.T) {
	s := open(t, actors.Config{})
	if space, err := s.DiskSpace(); err == nil {
		require.Positive(t, space.Total)
	} else {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	made, err := actors.Open(t.Context(), quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS()})
	require.NoError(t, err)
	_, err = made.DiskSpace()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.NoError(t, made.Stop(t.Context()))
}
