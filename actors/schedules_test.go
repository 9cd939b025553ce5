package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// withSchedules turns schedules on.
func withSchedules(c *actors.Config) { c.AllowMsgSchedules = actors.On }

// scheduleOn stores a schedule. more are further headers, each with its value.
func scheduleOn(t testing.TB, s *actors.Store, subject, pattern, target string, more ...string) {
	t.Helper()
	header := actors.Header{"Nats-Schedule": {pattern}, "Nats-Schedule-Target": {target}}
	for i := 0; i < len(more); i += 2 {
		header[more[i]] = []string{more[i+1]}
	}
	_, err := s.StoreMsg(t.Context(), subject, header, []byte("by "+subject))
	require.NoError(t, err)
}

// firedOn returns the messages of a subject: their payloads, and when they were stored after a time.
func firedOn(t testing.TB, s *actors.Store, subject string, begin time.Time) (list []string) {
	t.Helper()
	for m, err := range s.Messages(context.Background(), actors.Filter(subject)) {
		require.NoError(t, err)
		list = append(list, fmt.Sprintf("%s +%v", m.Payload, m.Time.Sub(begin).Truncate(time.Millisecond)))
	}
	return list
}

// TestSchedulesFireByTheClock, whatever is promised, and go on after a restart.
func TestSchedulesFireByTheClock(t *testing.T) {
	for _, level := range levels {
		synctest.Test(t, func(t *testing.T) {
			config := inMemory()
			config.Name, config.Sync = "ORDERS", level
			withSchedules(&config)
			s, begin := open(t, config), time.Now()
			h := listen(t, t.Context(), s)
			scheduleOn(t, s, "every", "@every 2s", "out.every", "Nats-Schedule-TTL", "1h")
			scheduleOn(t, s, "cron", "*/3 * * * * *", "out.cron", "Nats-Schedule-Time-Zone", "UTC")
			scheduleOn(t, s, "once", "@at 2000-01-01T00:00:05Z", "out.once", "Nats-Schedule-Source", "in")
			mustStore(t, s, "in", "news")
			waitFor(6900 * time.Millisecond)
			require.Equal(t, []string{"by every +2s", "by every +4s", "by every +6s"}, firedOn(t, s, "out.every", begin))
			require.Equal(t, []string{"by cron +3s", "by cron +6s"}, firedOn(t, s, "out.cron", begin))
			require.Equal(t, []string{"news +5s"}, firedOn(t, s, "out.once", begin))
			require.Empty(t, firedOn(t, s, "once", begin), "it is done")
			notices := h.take(t)
			require.Contains(t, notices, "stored +1 +"+fmt.Sprint(actors.RecordSize(len("out.once"), len("NATS/1.0\r\nNats-Scheduler: once\r\nNats-Schedule-Next: purge\r\n\r\n"), len("news")))+" 8 out.once")
			require.True(t, slices.ContainsFunc(notices, func(n string) bool { return strings.HasPrefix(n, "purged -1 ") }), "of the one that is done")
			m, err := s.LoadLastMsg(t.Context(), actors.Filter("out.every"))
			require.NoError(t, err)
			header, err := m.Header()
			require.NoError(t, err)
			require.Equal(t, actors.Header{"Nats-Scheduler": {"every"}, "Nats-Schedule-Next": {"2000-01-01T00:00:08Z"}, "Nats-TTL": {"1h"}}, header)
			require.NoError(t, s.Stop(t.Context()))
			waitFor(3100 * time.Millisecond) // to 10 s
			config.AllowMsgSchedules = actors.AsStored
			s = open(t, config)
			waitFor(2500 * time.Millisecond)
			require.Equal(t, []string{"by every +2s", "by every +4s", "by every +6s", "by every +10s", "by every +10.25s", "by every +12s"},
				firedOn(t, s, "out.every", begin), "8 s is late, 10 s as well")
			require.Equal(t, []string{"by cron +3s", "by cron +6s", "by cron +10s", "by cron +12s"}, firedOn(t, s, "out.cron", begin))
			require.Len(t, firedOn(t, s, "out.once", begin), 1)
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestWhoFollowsHearsOfSchedules, without asking.
func TestWhoFollowsHearsOfSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		withSchedules(&config)
		s, begin := open(t, config), time.Now()
		scheduleOn(t, s, "s", "@every 1h", "out")
		for m, err := range s.Messages(t.Context(), actors.Filter("out"), actors.Follow()) {
			require.NoError(t, err)
			if m.Sequence == 4 {
				break
			}
		}
		require.Equal(t, 3*time.Hour, time.Since(begin).Truncate(time.Second))
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestUpdateConfigTurnsSchedulesOnAndOff: existing ones are found, in sealed blocks and in the one that is being
// written.
func TestUpdateConfigTurnsSchedulesOnAndOff(t *testing.T) {
	for _, level := range levels {
		synctest.Test(t, func(t *testing.T) {
			config := inMemory()
			config.Name, config.Sync = "ORDERS", level
			s, begin := open(t, config), time.Now()
			scheduleOn(t, s, "old", "@every 1s", "out")
			for range 30 {
				mustStore(t, s, "x", string(make([]byte, 500)))
			}
			scheduleOn(t, s, "new", "@every 1s", "out")
			waitFor(4500 * time.Millisecond)
			require.Empty(t, firedOn(t, s, "out", begin), "the headers mean nothing")
			config.AllowMsgSchedules = actors.On
			require.NoError(t, s.UpdateConfig(t.Context(), config))
			waitFor(2 * time.Second)
			list := firedOn(t, s, "out", begin)
			require.Len(t, list, 4)
			require.Contains(t, list, "by new +4.5s", "it is found first")
			require.Equal(t, []string{"by old +6s", "by new +6s"}, list[2:])
			config.AllowMsgSchedules = actors.AsStored
			require.NoError(t, s.UpdateConfig(t.Context(), config))
			waitFor(time.Second)
			require.Len(t, firedOn(t, s, "out", begin), 6)
			config.AllowMsgSchedules = actors.Off
			require.NoError(t, s.UpdateConfig(t.Context(), config))
			waitFor(time.Minute)
			require.Len(t, firedOn(t, s, "out", begin), 6)
			require.NoError(t, s.Stop(t.Context()))
			config.AllowMsgSchedules = actors.AsStored
			s = open(t, config)
			waitFor(time.Minute)
			require.Len(t, firedOn(t, s, "out", begin), 6)
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestSchedulesAreStoredWithTheStream, as a nats-server has them: with roll-ups, and never where new messages are
// discarded.
func TestSchedulesAreStoredWithTheStream(t *testing.T) {
	ctx := t.Context()
	config := actors.Config{Dir: t.TempDir(), Name: "S", AllowMsgSchedules: actors.On, Discard: actors.DiscardNew}
	_, err := actors.Open(ctx, quiet, config)
	require.ErrorIs(t, err, actors.ErrConfig)
	require.NoDirExists(t, filepath.Join(config.Dir, "S", "msgs"))
	config.Discard = actors.DiscardAsStored
	s := open(t, config)
	require.ErrorIs(t, s.UpdateConfig(ctx, actors.Config{Name: "S", Discard: actors.DiscardNew}), actors.ErrConfig)
	require.ErrorIs(t, s.UpdateConfig(ctx, actors.Config{Name: "S", AllowMsgSchedules: 9}), actors.ErrConfig)
	require.NoError(t, s.Stop(ctx))
	meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "S"), "S")
	require.NoError(t, err)
	require.True(t, meta.AllowMsgSchedules && meta.AllowRollup)
	config.AllowMsgSchedules, config.Discard = actors.AsStored, actors.DiscardNew
	_, err = actors.Open(ctx, quiet, config)
	require.ErrorIs(t, err, actors.ErrConfig)
	config.AllowMsgSchedules = actors.Off
	s = open(t, config)
	require.ErrorIs(t, s.UpdateConfig(ctx, actors.Config{Name: "S", AllowMsgSchedules: actors.On}), actors.ErrConfig)
	require.NoError(t, s.UpdateConfig(ctx, actors.Config{Name: "S", AllowMsgSchedules: actors.On, Discard: actors.DiscardOld}))
	_, err = s.StoreMsg(ctx, "s", actors.Header{"Nats-Schedule": {"@never"}, "Nats-Schedule-Target": {"out"}}, nil)
	require.ErrorIs(t, err, actors.ErrBadHeader)
	require.ErrorContains(t, err, `Nats-Schedule "@never"`)
	for _, zone := range []string{"Mars/Base", "Local", "../UTC"} {
		_, err = s.StoreMsg(ctx, "s", actors.Header{"Nats-Schedule": {"@daily"}, "Nats-Schedule-Target": {"out"}, "Nats-Schedule-Time-Zone": {zone}}, nil)
		require.ErrorIs(t, err, actors.ErrBadHeader)
		require.ErrorContains(t, err, fmt.Sprintf("Nats-Schedule-Time-Zone %q", zone))
	}
	require.Zero(t, stateOf(t, s).LastSequence)
}

// testClock is a clock that tests set.
type testClock struct{ now atomic.Int64 }

func newClock(at time.Time) *testClock {
	c := &testClock{}
	c.now.Store(at.UnixNano())
	return c
}

func (c *testClock) pass(d time.Duration) { c.now.Add(int64(d)) }

func (c *testClock) runtime() *actors.Runtime {
	return actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return time.Unix(0, c.now.Load()).UTC() }})
}

// awaitMessage waits for a message with at least a sequence.
func awaitMessage(t testing.TB, s *actors.Store, sequence uint64) {
	t.Helper()
	require.NoError(t, s.Flush(context.Background())) // a turn, in which the store looks at the clock
	for m, err := range s.Messages(context.Background(), actors.From(sequence), actors.Follow()) {
		require.NoError(t, err)
		require.GreaterOrEqual(t, m.Sequence, sequence)
		return
	}
}

// TestSchedulesOfNatsServerFire: the server's own file of schedules is left alone until the first change, and gone
// with it. It would mislead a server that opens the directory after us.
func TestSchedulesOfNatsServerFire(t *testing.T) {
	dir, g := loadGolden(t, "schedules")
	clock := newClock(time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC))
	config := actors.Config{Dir: dir, Name: g.Stream, Runtime: clock.runtime()}
	file := filepath.Join(dir, g.Stream, "msgs", blockio.SchedulesFile)
	for range 2 {
		s := open(t, config)
		checkGolden(t, s, &g)
		require.FileExists(t, file)
		require.NoError(t, s.Stop(t.Context()))
	}
	s := open(t, config)
	clock.pass(2 * time.Second)
	awaitMessage(t, s, 3)
	require.NoFileExists(t, file)
	m, err := s.LoadMsg(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, "out.a", m.Subject)
	require.Equal(t, "do it", string(m.Payload))
	require.Equal(t, "NATS/1.0\r\nNats-Scheduler: sched.a\r\nNats-Schedule-Next: purge\r\n\r\n", string(m.HeaderBlock))
	got, _ := collect(t, s)
	require.Equal(t, []uint64{2, 3}, got)
	require.NoError(t, s.Stop(t.Context()))
	clock.pass(24 * time.Hour)
	s = open(t, config)
	got, _ = collect(t, s)
	require.Equal(t, []uint64{2, 3}, got)
}

// TestAScheduleFiresOnceThroughCrashes: a crash before any file operation while schedules fire leaves those that
// have fired, and the others fire afterwards.
func TestAScheduleFiresOnceThroughCrashes(t *testing.T) {
	clock := newClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	config := actors.Config{BlockSize: 4 << 10, AllowMsgSchedules: actors.On, Runtime: clock.runtime()}
	prepare := func(s *actors.Store) {
		scheduleOn(t, s, "once", "@at 2030-01-01T00:00:10Z", "out.once")
		scheduleOn(t, s, "large", "@at 2030-01-01T00:00:10Z", "out.large", "Nats-Schedule-Source", "in")
		scheduleOn(t, s, "often", "@every 10s", "out.often", "Nats-Schedule-Rollup", "sub")
		mustStore(t, s, "in", string(make([]byte, 5000)))
		clock.pass(11 * time.Second)
	}
	act := func(s *actors.Store) { awaitMessage(t, s, 7) }
	check := func(s *actors.Store, image crashImage) {
		awaitMessage(t, s, 7)
		want := map[string]uint64{"in": 1, "often": 1, "out.once": 1, "out.large": 1, "out.often": 1}
		totals, err := s.SubjectsTotals(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, totals, "%v %v", image.op, image.mode)
		require.Equal(t, uint64(7), stateOf(t, s).LastSequence, "%v %v", image.op, image.mode)
		m, err := s.LoadLastMsg(t.Context(), actors.Filter("out.often"))
		require.NoError(t, err)
		require.Contains(t, string(m.HeaderBlock), "Nats-Schedule-Next: 2030-01-01T00:00:20Z\r\n")
	}
	crashEach(t, config, prepare, act, check)
}

// TestAScheduleFiresOnceThroughFailures of any operation while it fires: the store recovers, and goes on.
func TestAScheduleFiresOnceThroughFailures(t *testing.T) {
	errDisk := errors.New("the disk is on fire")
	reached := true
	for at := int64(0); reached; at++ {
		clock := newClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := open(t, actors.Config{
			Dir: "streams", FS: files, BlockSize: 4 << 10, RetryMin: time.Millisecond, AllowMsgSchedules: actors.On, Runtime: clock.runtime(),
		})
		scheduleOn(t, s, "once", "@at 2030-01-01T00:00:10Z", "out")
		mustStore(t, s, "x", string(make([]byte, 5000)))
		scheduleOn(t, s, "often", "@every 10s", "out")
		var n atomic.Int64
		var failed atomic.Bool
		var what atomic.Value
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if n.Add(1) != at+1 {
				return blocktest.Fault{}
			}
			failed.Store(true)
			what.Store(op)
			return blocktest.Fault{Err: &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: errDisk}}
		})
		clock.pass(11 * time.Second)
		_ = s.Flush(t.Context())
		eventually(t, func() bool {
			clock.pass(100 * time.Millisecond) // what cannot be read is tried again a second later
			if s.Flush(t.Context()) != nil {
				return false
			}
			totals, err := s.SubjectsTotals(t.Context())
			return err == nil && totals["once"] == 0 && totals["out"] >= 2
		})
		files.SetHook(nil)
		reached = failed.Load()
		once := 0
		for m, err := range s.Messages(t.Context(), actors.Filter("out")) {
			require.NoError(t, err)
			if string(m.Payload) == "by once" {
				once++
			}
		}
		require.Equal(t, 1, once, "%v", what.Load())
		_, err := s.LoadLastMsg(t.Context(), actors.Filter("once"))
		require.ErrorIs(t, err, actors.ErrNotFound)
		require.NoError(t, s.Stop(t.Context()))
	}
}

// TestATruncationForgetsSchedules that are above the cut.
func TestATruncationForgetsSchedules(t *testing.T) {
	clock := newClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	s := open(t, actors.Config{AllowMsgSchedules: actors.On, Runtime: clock.runtime()})
	scheduleOn(t, s, "stays", "@at 2030-01-01T00:00:10Z", "out")
	scheduleOn(t, s, "goes", "@at 2030-01-01T00:00:10Z", "out")
	_, err := s.Truncate(t.Context(), 1)
	require.NoError(t, err)
	mustStore(t, s, "goes", "x")
	clock.pass(11 * time.Second)
	awaitMessage(t, s, 3)
	require.Equal(t, []string{"by stays +11s"}, firedOn(t, s, "out", time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	totals, err := s.SubjectsTotals(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"goes": 1, "out": 1}, totals)
}

// TestAScheduleThatIsDamagedIsNotWaitedFor: it is lost, and others fire.
func TestAScheduleThatIsDamagedIsNotWaitedFor(t *testing.T) {
	clock := newClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	config := actors.Config{Dir: t.TempDir(), Name: "S", BlockSize: 4 << 10, IndexFrom: -1, AllowMsgSchedules: actors.On, Runtime: clock.runtime()}
	s := open(t, config)
	scheduleOn(t, s, "bad", "@at 2030-01-01T00:00:10Z", "out")
	scheduleOn(t, s, "good", "@at 2030-01-01T00:00:10Z", "out")
	scheduleOn(t, s, "early", "@at 2030-01-01T00:00:05Z", "early.out")
	mustStore(t, s, "x", string(make([]byte, 5000)))
	require.NoError(t, s.Stop(t.Context()))
	path := blockPath(config, 1)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	s = open(t, config)
	clock.pass(6 * time.Second)
	awaitMessage(t, s, 5) // of the early one: the schedules of the block are known
	data[130] ^= 0xff     // in the header of the first record
	require.NoError(t, os.WriteFile(path, data, 0o600))
	clock.pass(5 * time.Second)
	awaitMessage(t, s, 6)
	require.Len(t, firedOn(t, s, "out", time.Time{}), 1)
}
