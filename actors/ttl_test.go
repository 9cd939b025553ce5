package actors_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// withTTLs is a configuration in memory whose messages may have TTLs.
func withTTLs() actors.Config {
	config := inMemory()
	config.AllowMsgTTL = actors.On
	return config
}

func mustStoreFor(t *testing.T, s *actors.Store, subject string, ttl time.Duration) uint64 {
	t.Helper()
	ack, err := s.StoreMsg(t.Context(), subject, nil, []byte("x"), actors.TTL(ttl))
	require.NoError(t, err)
	return ack.Sequence
}

func liveOf(t *testing.T, s *actors.Store) []uint64 {
	t.Helper()
	list, _ := collect(t, s)
	return list
}

// TestMessagesGoByTheirTTL in any order, wherever they stand, within 250 ms, and stay gone.
func TestMessagesGoByTheirTTL(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		synctest.Test(t, func(t *testing.T) {
			config := withTTLs()
			config.Sync = level
			s := open(t, config)
			mustStore(t, s, "a", "stays")
			mustStoreFor(t, s, "b", 3*time.Second)
			mustStoreFor(t, s, "c", time.Second)
			mustStore(t, s, "d", "stays")
			mustStoreFor(t, s, "e", 2900*time.Millisecond) // whole seconds: 2
			waitFor(990 * time.Millisecond)
			require.Equal(t, sequences(1, 5), liveOf(t, s))
			waitFor(300 * time.Millisecond)
			require.Equal(t, []uint64{1, 2, 4, 5}, liveOf(t, s))
			require.Equal(t, uint64(1), s.Stats().RemovedTTL)
			require.Equal(t, uint64(4), stateOf(t, s).Subjects)
			require.NoError(t, s.Stop(t.Context()))

			waitFor(time.Second)
			s = open(t, config)
			waitFor(10 * time.Millisecond)
			require.Equal(t, []uint64{1, 2, 4}, liveOf(t, s), "it was due while the store was closed")
			waitFor(time.Second)
			require.Equal(t, []uint64{1, 4}, liveOf(t, s))
			require.Equal(t, uint64(5), stateOf(t, s).LastSequence)
			require.NoError(t, s.Stop(t.Context()))

			config.AllowMsgTTL = actors.Off
			s = open(t, config)
			require.Equal(t, []uint64{1, 4}, liveOf(t, s), "what has gone stays gone without TTLs")
			require.NoError(t, s.Stop(t.Context()))
		})
	})
}

// TestTTLHeaders says which values mean something, and what.
func TestTTLHeaders(t *testing.T) {
	for _, row := range []struct {
		value string
		lives time.Duration // 0: for ever
		bad   bool
	}{
		{"1", time.Second, false}, {"3s", 3 * time.Second, false}, {"1500ms", time.Second, false}, {"1m1s", 61 * time.Second, false},
		{"never", 0, false}, {"NEVER", 0, false}, {"", 0, false}, {"00", 0, false},
		{"0", 0, true}, {"500ms", 0, true}, {"-1", 0, true}, {"abc", 0, true},
	} {
		t.Run(row.value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, withTTLs())
				header := actors.Header{"Nats-TTL": {row.value}}
				_, err := s.StoreMsg(t.Context(), "a", header, nil)
				if row.bad {
					require.ErrorIs(t, err, actors.ErrBadHeader)
					_, err = s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: "b", Header: header}})
					require.ErrorIs(t, err, actors.ErrBadHeader)
					require.Zero(t, stateOf(t, s).LastSequence)
					block, err := header.AppendBlock(nil)
					require.NoError(t, err)
					_, err = s.StoreRaw(t.Context(), actors.RawMessage{Subject: "a", HeaderBlock: block, Time: time.Now()})
					require.NoError(t, err, "a replica takes what it is given")
				}
				if row.lives > 0 {
					waitFor(row.lives - time.Millisecond)
					require.Equal(t, uint64(1), stateOf(t, s).Messages)
					waitFor(251 * time.Millisecond)
					require.Zero(t, stateOf(t, s).Messages)
				} else {
					waitFor(time.Hour)
					require.Equal(t, uint64(1), stateOf(t, s).Messages)
				}
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

// TestTheOptionTTL is the header, in the place of one that the message has, and is refused where it would mean nothing.
func TestTheOptionTTL(t *testing.T) {
	s := open(t, actors.Config{AllowMsgTTL: actors.On})
	for ttl, want := range map[time.Duration]string{
		time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 10 * time.Minute: "10m", 2*time.Hour + time.Second + time.Millisecond: "2h0m1s", actors.Forever: "never",
	} {
		ack, err := s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {"7"}, "B": {"c"}}, nil, actors.TTL(ttl))
		require.NoError(t, err)
		m, err := s.LoadMsg(t.Context(), ack.Sequence)
		require.NoError(t, err)
		header, err := m.Header()
		require.NoError(t, err)
		require.Equal(t, actors.Header{"Nats-TTL": {want}, "B": {"c"}}, header)
	}
	for _, ttl := range []time.Duration{0, 999 * time.Millisecond, -2} {
		_, err := s.StoreMsg(t.Context(), "a", nil, nil, actors.TTL(ttl))
		require.ErrorIs(t, err, actors.ErrBadHeader)
	}
	_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}}, actors.TTL(time.Minute))
	require.ErrorIs(t, err, actors.ErrBadHeader, "each message of a batch has its own")
	_, err = s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a", Options: []actors.StoreOption{actors.TTL(time.Minute)}}})
	require.NoError(t, err)

	s = open(t, actors.Config{})
	_, err = s.StoreMsg(t.Context(), "a", nil, nil, actors.TTL(time.Minute))
	require.ErrorIs(t, err, actors.ErrBadHeader)
	_, err = s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {"abc"}}, nil)
	require.NoError(t, err, "a header that means nothing")
}

// TestTTLAndMaxAge: what comes first counts; one that lives for ever is not removed for its age, also not by an open,
// and everything behind it goes.
func TestTTLAndMaxAge(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			config := withTTLs()
			config.MaxAge = 10 * time.Second
			s := open(t, config)
			pass := func(d time.Duration) {
				if reopen {
					require.NoError(t, s.Stop(t.Context()))
				}
				waitFor(d)
				if reopen {
					s = open(t, config)
				}
				waitFor(500 * time.Millisecond)
			}
			mustStore(t, s, "a", "")
			mustStoreFor(t, s, "b", actors.Forever)
			mustStoreFor(t, s, "c", time.Hour)
			mustStoreFor(t, s, "d", 5*time.Second)
			mustStore(t, s, "e", "")
			mustStoreFor(t, s, "f", actors.Forever)
			pass(5 * time.Second)
			require.Equal(t, []uint64{1, 2, 3, 5, 6}, liveOf(t, s))
			pass(5 * time.Second)
			require.Equal(t, []uint64{2, 6}, liveOf(t, s))
			pass(24 * time.Hour)
			require.Equal(t, []uint64{2, 6}, liveOf(t, s))
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestTTLsThatAreTurnedOnLater see the messages that are there, at an open and while the store runs; turned off, they
// mean nothing any more.
func TestTTLsThatAreTurnedOnLater(t *testing.T) {
	for _, row := range []struct {
		reopen    bool
		indexFrom int64
	}{{false, -1}, {false, 1}, {true, -1}, {true, 1}} {
		synctest.Test(t, func(t *testing.T) {
			reopen, config := row.reopen, inMemory()
			config.IndexFrom = row.indexFrom
			s := open(t, config)
			turn := func(to actors.Switch) {
				config.AllowMsgTTL = to
				if !reopen {
					require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", AllowMsgTTL: to}))
					return
				}
				require.NoError(t, s.Stop(t.Context()))
				s = open(t, config)
			}
			put := func(ttl string) {
				_, err := s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {ttl}}, make([]byte, 1000))
				require.NoError(t, err)
			}
			for range 10 {
				put("2")
				put("1h")
				put("never")
				mustStore(t, s, "b", "")
			}
			waitFor(time.Second)
			require.Equal(t, uint64(40), stateOf(t, s).Messages)
			turn(actors.On)
			waitFor(1500 * time.Millisecond)
			require.Equal(t, uint64(30), stateOf(t, s).Messages)
			turn(actors.Off)
			put("1")
			waitFor(2 * time.Hour)
			require.Equal(t, uint64(31), stateOf(t, s).Messages)
			turn(actors.On)
			waitFor(500 * time.Millisecond)
			require.Equal(t, uint64(20), stateOf(t, s).Messages)
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestTurnedOnWhileAgesCount: from then on a message that lives for ever is spared, also one that stands in a block
// that was full before; and none goes before it is known which ones these are.
func TestTurnedOnWhileAgesCount(t *testing.T) {
	for _, together := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { turnOnWhileAgesCount(t, together) })
	}
}

func turnOnWhileAgesCount(t *testing.T, together bool) {
	config, first := inMemory(), actors.Config{Name: "ORDERS", AllowMsgTTL: actors.On}
	if together {
		first.MaxAge = time.Minute
	} else {
		config.MaxAge = time.Minute
	}
	s := open(t, config)
	for range 20 {
		_, err := s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {"never"}}, make([]byte, 1000))
		require.NoError(t, err)
		mustStore(t, s, "b", "")
	}
	if together {
		waitFor(2 * time.Minute)
	}
	require.NoError(t, s.UpdateConfig(t.Context(), first))
	waitFor(2 * time.Minute)
	require.Equal(t, uint64(20), stateOf(t, s).Messages)
	require.Equal(t, uint64(1), stateOf(t, s).FirstSequence)
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", AllowMsgTTL: actors.Off}))
	waitFor(time.Second)
	require.Zero(t, stateOf(t, s).Messages)
	require.NoError(t, s.Stop(t.Context()))
}

// TestNothingIsLeftOfALifeThatEnds: whatever removes a message, its TTL wakes nobody, and after a truncation removes no
// other message that has its sequence.
func TestNothingIsLeftOfALifeThatEnds(t *testing.T) {
	for name, remove := range map[string]func(ctx context.Context, s *actors.Store) error{
		"Remove": func(ctx context.Context, s *actors.Store) error { _, err := s.RemoveMsg(ctx, 2); return err },
		"Erase":  func(ctx context.Context, s *actors.Store) error { _, err := s.EraseMsg(ctx, 2); return err },
		"Purge":  func(ctx context.Context, s *actors.Store) error { _, err := s.Purge(ctx); return err },
		"PurgeEx": func(ctx context.Context, s *actors.Store) error {
			_, err := s.PurgeEx(ctx, actors.Literal("b"), 0, 0)
			return err
		},
		"Compact":  func(ctx context.Context, s *actors.Store) error { _, err := s.Compact(ctx, 4); return err },
		"Truncate": func(ctx context.Context, s *actors.Store) error { _, err := s.Truncate(ctx, 1); return err },
		"limits": func(ctx context.Context, s *actors.Store) error {
			return s.UpdateConfig(ctx, actors.Config{Name: "ORDERS", MaxMsgs: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, withTTLs())
				mustStore(t, s, "a", "")
				mustStoreFor(t, s, "b", 10*time.Second)
				mustStore(t, s, "a", "")
				require.NoError(t, remove(t.Context(), s))
				for range 3 {
					mustStore(t, s, "b", "new")
				}
				before := stateOf(t, s)
				waitFor(time.Minute)
				require.Equal(t, before.Messages, stateOf(t, s).Messages)
				require.Zero(t, s.Stats().RemovedTTL)
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

// TestTheGoldenStoreWithTTLs of nats-server is read back, and expires a hundred years later. Its own list of what
// expires goes with the first change.
func TestTheGoldenStoreWithTTLs(t *testing.T) {
	dir, g := loadGolden(t, "ttl")
	list := filepath.Join(dir, g.Stream, "msgs", blockio.TTLFile)
	s := open(t, actors.Config{Dir: dir, Name: g.Stream})
	checkGolden(t, s, &g)
	require.FileExists(t, list)
	require.NoError(t, s.Stop(t.Context()))
	require.FileExists(t, list, "an open changes nothing")

	begin := time.Unix(1700000000, 0)
	for _, row := range []struct {
		after time.Duration
		want  []uint64
	}{
		{3153600000*time.Second - 1, sequences(1, 5)}, {3153600000 * time.Second, []uint64{2, 3, 4, 5}},
		{3153600000*time.Second + 1, []uint64{3, 4, 5}}, {3153600001*time.Second + 3, []uint64{3, 4, 5}}, {3153600001*time.Second + 4, []uint64{3, 4}},
	} {
		r := actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return begin.Add(row.after) }})
		s = open(t, actors.Config{Dir: dir, Name: g.Stream, Runtime: r})
		require.Eventually(t, func() bool { return stateOf(t, s).Messages == uint64(len(row.want)) }, time.Minute, time.Millisecond)
		require.Equal(t, row.want, liveOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
	}
	require.NoFileExists(t, list)
}

// TestBlocksWithoutLivesAreNotRead: their indexes say that there are none, so a start with TTLs does not touch them.
func TestBlocksWithoutLivesAreNotRead(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1, AllowMsgTTL: actors.On}
	s := open(t, config)
	for range 30 {
		mustStore(t, s, "a", string(make([]byte, 1000)))
	}
	mustStoreFor(t, s, "a", time.Hour)
	require.Eventually(t, func() bool { return s.Stats().Unindexed == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Stop(t.Context()))
	forgetState(t, config)
	blocks := blockFiles(t, config)
	read := make(map[string]int64)
	var guard sync.Mutex
	config.FS = &readsCounted{FS: blockio.OS, read: func(name string, n int) {
		guard.Lock()
		defer guard.Unlock()
		read[filepath.Base(name)] += int64(n)
	}}
	s = open(t, config)
	require.NoError(t, s.Stop(t.Context()))
	require.GreaterOrEqual(t, len(blocks), 10)
	for id := range 9 {
		name := fmt.Sprint(1+id, ".blk")
		require.Less(t, read[name], int64(100), "of %s no more than its end is read", name)
	}
	require.Greater(t, read["10.blk"], int64(3000), "it has the message with the life")
}

// readsCounted tells of what is read of files.
type readsCounted struct {
	blockio.FS
	read func(name string, n int)
}

type readCounted struct {
	blockio.File
	read func(n int)
}

func (f *readsCounted) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := f.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &readCounted{file, func(n int) { f.read(name, n) }}, nil
}

func (f *readCounted) ReadAt(p []byte, offset int64) (int, error) {
	f.read(len(p))
	return f.File.ReadAt(p, offset)
}
