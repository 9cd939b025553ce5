package actors

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// slowDisk is one on which each write to a block and each sync of one takes its time.
func slowDisk(write, sync time.Duration) *blocktest.FaultFS {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	files.SetHook(func(op blocktest.Op) (fault blocktest.Fault) {
		wait := time.Duration(0)
		switch {
		case filepath.Ext(op.Name) != ".blk":
		case op.Kind == blocktest.OpWrite:
			wait = write
		case op.Kind == blocktest.OpSync:
			wait = sync
		}
		if wait > 0 {
			fault.Wait = func() { <-time.After(wait) }
		}
		return fault
	})
	return files
}

// sum is the time of all observations, and how many they were.
func sum(h Histogram) (total time.Duration, count uint64) {
	return time.Duration(h.Sum*1e9 + 0.5).Round(time.Microsecond), h.Count
}

// slowly runs a test on a store whose writes take 5 ms and whose syncs take 20.
func slowly(t *testing.T, config Config, test func(t *testing.T, s *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config.Dir, config.Name, config.FS = "data", "ORDERS", slowDisk(5*time.Millisecond, 20*time.Millisecond)
		config.Runtime = NewRuntime(RuntimeConfig{})
		s, err := Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		test(t, s)
		require.NoError(t, s.Stop(context.Background()))
	})
}

func requireTimes(t *testing.T, what string, h Histogram, total time.Duration, count uint64) {
	t.Helper()
	gotTotal, gotCount := sum(h)
	require.Equal(t, count, gotCount, what)
	require.Equal(t, total, gotTotal, what)
}

// TestAcknowledgementsAreTimed from the call on, whichever way messages come, and the writes of a commit apart from its
// syncs.
func TestAcknowledgementsAreTimed(t *testing.T) {
	const each = 25 * time.Millisecond
	for name, store := range map[string]func(ctx context.Context, s *Store) error{
		"message": func(ctx context.Context, s *Store) error {
			_, err := s.StoreMsg(ctx, "a", nil, []byte("x"))
			return err
		},
		"raw message": func(ctx context.Context, s *Store) error {
			_, err := s.StoreRaw(ctx, RawMessage{Sequence: s.Stats().LastSequence + 1, Subject: "a", Time: time.Now()})
			return err
		},
		"batch": func(ctx context.Context, s *Store) error {
			_, err := s.StoreBatch(ctx, []BatchMessage{{Subject: "a"}, {Subject: "b"}})
			return err
		},
		"pipeline": func(ctx context.Context, s *Store) error {
			p := s.Pipeline(4, nil)
			_, err := p.Store(ctx, "a", nil, nil)
			if err == nil {
				err = p.Wait(ctx)
			}
			return err
		},
		"actor": func(_ context.Context, s *Store) error {
			reply, err := faultSystem.Root.RequestFuture(s.PID(), &StoreRequest{Subject: "a"}, time.Minute).Result()
			if err == nil {
				err = reply.(*StoreReply).Err
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			slowly(t, Config{Sync: SyncAlways}, func(t *testing.T, s *Store) {
				for range 3 {
					require.NoError(t, store(t.Context(), s))
				}
				stats := s.Stats()
				requireTimes(t, "acknowledged", stats.AckSeconds, 3*each, 3)
				requireTimes(t, "committed", stats.CommitSeconds, 3*each, 3)
				requireTimes(t, "written", stats.WriteSeconds, 15*time.Millisecond, 3)
				requireTimes(t, "synced", stats.SyncSeconds, 60*time.Millisecond, 3)
			})
		})
	}
}

// TestTheWaitForRoomIsTimed: who has to wait for its turn sees the commit before its own, too.
func TestTheWaitForRoomIsTimed(t *testing.T) {
	slowly(t, Config{Sync: SyncAlways, MaxInFlight: 1}, func(t *testing.T, s *Store) {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := s.StoreMsg(t.Context(), "a", nil, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		requireTimes(t, "acknowledged", s.Stats().AckSeconds, (25+50+75)*time.Millisecond, 3)
	})
}

// TestOnlyAcknowledgementsAreTimed, and neither what is refused nor what stores nothing.
func TestOnlyAcknowledgementsAreTimed(t *testing.T) {
	slowly(t, Config{Sync: SyncAlways}, func(t *testing.T, s *Store) {
		_, err := s.StoreMsg(t.Context(), "a", nil, nil, ExpectLast(7))
		require.ErrorIs(t, err, ErrSequenceMismatch)
		p := s.Pipeline(1, nil)
		_, err = p.Store(t.Context(), "a", nil, nil, ExpectLast(7))
		require.NoError(t, err)
		require.NoError(t, p.Wait(t.Context()))
		require.NoError(t, s.Flush(t.Context()))
		_, err = s.Skip(t.Context(), 0, 1)
		require.NoError(t, err)
		require.Zero(t, s.Stats().AckSeconds.Count)
		_, err = p.Store(t.Context(), "a", nil, nil)
		require.NoError(t, err)
		require.NoError(t, p.Wait(t.Context()))
		requireTimes(t, "acknowledged", s.Stats().AckSeconds, 25*time.Millisecond, 1)
	})
}

// TestSyncsInTheBackgroundAreTimed, which no acknowledgement waits for.
func TestSyncsInTheBackgroundAreTimed(t *testing.T) {
	slowly(t, Config{Sync: SyncInterval, SyncEvery: time.Second}, func(t *testing.T, s *Store) {
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.NoError(t, err)
		<-time.After(3 * time.Second)
		synctest.Wait()
		stats := s.Stats()
		requireTimes(t, "acknowledged", stats.AckSeconds, 5*time.Millisecond, 1)
		requireTimes(t, "committed", stats.CommitSeconds, 5*time.Millisecond, 1)
		requireTimes(t, "written", stats.WriteSeconds, 5*time.Millisecond, 1)
		requireTimes(t, "synced", stats.SyncSeconds, 20*time.Millisecond, 1)
	})
}

// TestABusyStoreTimesOneOfMany, and counts it for all of them; when it has little to do again it times each.
func TestABusyStoreTimesOneOfMany(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	shared := NewRuntime(RuntimeConfig{Clock: func() time.Time { return time.Unix(0, now.Add(int64(time.Millisecond))) }})
	s, err := Open(t.Context(), faultSystem, Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Runtime: shared, Sync: SyncNever, MaxMsgs: 10})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(context.Background())) }()
	const messages = 200_000
	p := s.Pipeline(4096, nil)
	for range messages {
		_, err := p.Store(t.Context(), "a", nil, []byte("x"))
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	h := s.Stats().AckSeconds
	require.InEpsilon(t, messages, h.Count, 0.1)
	for range 20 {
		now.Add(int64(time.Second))
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.NoError(t, err)
	}
	require.False(t, s.sampling.Load())
	require.InDelta(t, h.Count+20, s.Stats().AckSeconds.Count, 2*sampleOf)
}

func TestWhichOperationsAreTimed(t *testing.T) {
	s := &stream{}
	o := &op{}
	o.command = &o.store
	stamped := func(n int) (times, weight int) {
		for range n {
			o.since = 0
			if s.stamp(o); o.since != 0 {
				times, weight = times+1, weight+int(o.weight)
			}
		}
		return times, weight
	}
	times, weight := stamped(100)
	require.Equal(t, []int{100, 100}, []int{times, weight})
	s.sampling.Store(true)
	times, weight = stamped(160)
	require.Equal(t, []int{10, 160}, []int{times, weight})
	s.sampling.Store(false)
	o.command = &o.remove
	times, _ = stamped(10)
	require.Zero(t, times)

	var l load
	const start = int64(1 << 60)
	_, known := l.busy(start)
	require.True(t, known)
	for _, row := range []struct {
		passed      time.Duration
		ops         int64
		busy, known bool
	}{
		{time.Millisecond, 1000, false, false},
		{loadWindow, int64(loadWindow / busyFrom), false, true},
		{loadWindow, int64(loadWindow/busyFrom) + 1, true, true},
		{time.Hour, 100_000, false, true},
		{-time.Hour, 100_000, false, true}, // the clock was set back
	} {
		l = load{start, row.ops}
		busy, known := l.busy(start + int64(row.passed))
		require.Equal(t, []bool{row.busy, row.known}, []bool{busy, known}, "%v", row)
		if known {
			require.Equal(t, load{start + int64(row.passed), 0}, l)
		} else {
			require.Equal(t, load{start, row.ops}, l)
		}
	}
}

// TestTimingAllocatesNothing, and takes no more than a few bytes of an operation.
func TestTimingAllocatesNothing(t *testing.T) {
	s := &stream{}
	o := &op{}
	o.command = &o.store
	once := func() {
		s.stamp(o)
		s.acknowledged(o, &o.reply)
	}
	once() // the buckets
	require.Zero(t, testing.AllocsPerRun(100, once))
}

// BenchmarkTiming is what the times of acknowledgements cost an operation, when a store is busy and when it is not.
func BenchmarkTiming(b *testing.B) {
	for name, busy := range map[string]bool{"busy": true, "idle": false} {
		b.Run(name, func(b *testing.B) {
			s, o := &stream{}, &op{}
			s.sampling.Store(busy)
			o.command = &o.store
			b.ReportAllocs()
			for b.Loop() {
				s.stamp(o)
				if o.since != 0 {
					s.acknowledged(o, &o.reply)
				}
			}
		})
	}
}
