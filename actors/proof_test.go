package actors_test

import (
	"fmt"
	"path/filepath"
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

// fullDisk opens a stream on a small disk and stores until that is full.
func fullDisk(t *testing.T, room int64, config actors.Config) (*actors.Store, *blocktest.SmallFS) {
	t.Helper()
	files := blocktest.NewSmallFS(blocktest.NewMemFS(), room)
	config.Dir, config.FS = "data", files
	s := openToFail(t, config)
	for {
		_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 1000))
		if err != nil {
			require.ErrorIs(t, err, actors.ErrNoSpace)
			require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
			return s, files
		}
	}
}

// TestAFullDiskStaysFailed: as long as there is no room the store says so, however often somebody stores, and not only
// while somebody does. When there is, it comes back by itself.
func TestAFullDiskStaysFailed(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval} {
		synctest.Test(t, func(t *testing.T) {
			s, files := fullDisk(t, 512<<10, actors.Config{Sync: level})
			stored := s.Stats().Messages
			look := func() {
				t.Helper()
				stats := s.Stats()
				require.True(t, stats.Failed)
				require.Zero(t, stats.Recoveries)
				require.Equal(t, uint64(1), stats.Failures, "it is one failure")
				require.ErrorIs(t, s.Err(), actors.ErrNoSpace)
			}
			for i := range 240 {
				<-time.After(time.Second)
				look()
				if i < 120 && i%7 == 0 {
					_, err := s.StoreMsg(t.Context(), "a", nil, []byte("small"))
					require.ErrorIs(t, err, actors.ErrFailed)
					require.ErrorIs(t, err, actors.ErrNoSpace)
					require.NotErrorIs(t, err, actors.ErrOutcomeUnknown, "nothing was changed")
					look()
				}
			}
			files.Grow(1 << 20)
			<-time.After(20 * time.Second)
			stats := s.Stats()
			require.False(t, stats.Failed)
			require.Equal(t, uint64(1), stats.Recoveries)
			require.NoError(t, s.Err())
			mustStore(t, s, "a", "there is room")
			if level == actors.SyncAlways {
				require.Equal(t, stored+1, s.Stats().Messages)
			}
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestTheProofIsAsLargeAsWhatHasFailed: room for less would bring the store back for the next failure.
func TestTheProofIsAsLargeAsWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewSmallFS(blocktest.NewMemFS(), 1<<20)
		s := openToFail(t, actors.Config{Dir: "data", FS: files})
		large := make([]byte, 2<<20)
		_, err := s.StoreMsg(t.Context(), "a", nil, large)
		require.ErrorIs(t, err, actors.ErrNoSpace)
		<-time.After(time.Hour)
		require.True(t, s.Stats().Failed)
		files.Grow(2 << 20)
		<-time.After(20 * time.Second)
		require.False(t, s.Stats().Failed)
		_, err = s.StoreMsg(t.Context(), "a", nil, large)
		require.NoError(t, err)
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestWhatRemovesMakesRoom: a store that has failed on a disk which its own stream has filled comes back when enough of
// that is purged, or has become too old.
func TestWhatRemovesMakesRoom(t *testing.T) {
	for _, c := range []struct {
		name   string
		config actors.Config
		room   int64 // a disk that is full to the last byte takes no record of a removal
		remove func(t *testing.T, s *actors.Store)
	}{
		{"a purge", actors.Config{}, 32 << 10, func(t *testing.T, s *actors.Store) {
			_, err := s.Purge(t.Context())
			require.NoError(t, err)
		}},
		{"a lower limit", actors.Config{Discard: actors.DiscardOld}, 32 << 10, func(t *testing.T, s *actors.Store) {
			require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: s.Name(), MaxMsgs: 10}))
		}},
		{"age", actors.Config{MaxAge: time.Minute}, 0, func(*testing.T, *actors.Store) { <-time.After(time.Minute) }},
		{"age, before the first attempt", actors.Config{MaxAge: time.Minute, RetryMin: 90 * time.Second, RetryMax: 90 * time.Second}, 0,
			func(*testing.T, *actors.Store) { <-time.After(time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.config.BlockSize = 64 << 10
				s, files := fullDisk(t, 512<<10, c.config)
				<-time.After(20 * time.Second)
				files.Grow(c.room - files.Free())
				require.True(t, s.Stats().Failed)
				c.remove(t, s)
				<-time.After(5 * time.Minute)
				require.False(t, s.Stats().Failed)
				mustStore(t, s, "a", "there is room")
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

// onRoom calls fault for the operations on the file of a proof.
func onRoom(fault func(blocktest.Op) blocktest.Fault) func(blocktest.Op) blocktest.Fault {
	return func(op blocktest.Op) blocktest.Fault {
		if strings.HasSuffix(op.Name, blockio.RoomFile) {
			return fault(op)
		}
		return blocktest.Fault{}
	}
}

// failOnce fails the next sync of a block.
func failOnce(t *testing.T, s *actors.Store, files *blocktest.FaultFS, then func(blocktest.Op) blocktest.Fault) {
	t.Helper()
	var failed atomic.Bool
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpWrite && strings.HasSuffix(op.Name, ".blk") && failed.CompareAndSwap(false, true) {
			return blocktest.Fault{Err: blocktest.ErrNoSpace}
		}
		return onRoom(then)(op)
	})
	_, err := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
	require.ErrorIs(t, err, actors.ErrNoSpace)
}

// TestAProofThatFailsAnywhere is none: the store stays failed, and tries again.
func TestAProofThatFailsAnywhere(t *testing.T) {
	for _, kind := range []blocktest.OpKind{blocktest.OpCreate, blocktest.OpWrite, blocktest.OpSync, blocktest.OpClose, blocktest.OpRemove} {
		synctest.Test(t, func(t *testing.T) {
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			s := openToFail(t, actors.Config{Dir: "data", FS: files})
			mustStore(t, s, "a", "x")
			var attempts atomic.Int64
			failOnce(t, s, files, func(op blocktest.Op) blocktest.Fault {
				if op.Kind == kind {
					attempts.Add(1)
					return blocktest.Fault{Err: blocktest.ErrIO, Short: op.Size / 2}
				}
				return blocktest.Fault{}
			})
			<-time.After(time.Minute)
			require.True(t, s.Stats().Failed, kind)
			n := attempts.Load()
			require.Greater(t, n, int64(8), "it goes on trying")
			require.Less(t, n, int64(20), "and waits longer each time")
			files.SetHook(nil)
			<-time.After(20 * time.Second)
			require.False(t, s.Stats().Failed, kind)
			mustStore(t, s, "a", "y")
			require.Equal(t, uint64(2), s.Stats().Messages)
			require.NoError(t, s.Stop(t.Context()))
			_, err := files.OpenFile(filepath.Join("data", s.Name(), "msgs", blockio.RoomFile), blockio.ModeRead)
			require.Error(t, err, "nothing of it stays")
		})
	}
}

// TestACrashInAProof leaves what a crash before it would, and a file that goes at the next opening.
func TestACrashInAProof(t *testing.T) {
	reached := 0
	for at := 0; at == reached; at++ {
		synctest.Test(t, func(t *testing.T) {
			memory := blocktest.NewMemFS()
			files := blocktest.NewFaultFS(memory)
			config := actors.Config{Dir: "data", Name: "S", FS: files}
			s := openToFail(t, config)
			mustStore(t, s, "a", "x")
			n := 0
			failOnce(t, s, files, func(op blocktest.Op) blocktest.Fault {
				n++
				if n-1 == at {
					reached++
				}
				return blocktest.Fault{Crash: n-1 == at, Short: op.Size / 3}
			})
			<-time.After(time.Minute)
			_ = s.Stop(t.Context()) // the machine has crashed
			for name, image := range map[string]*blocktest.MemFS{
				"kept":  memory.CrashImage(blocktest.KeepAll, nil),
				"power": memory.CrashImage(blocktest.DropUnsynced, nil),
			} {
				config.FS = image
				s := openToFail(t, config)
				state := stateOf(t, s)
				require.Equal(t, uint64(1), state.Messages, fmt.Sprint(at, name))
				require.Zero(t, state.LostMessages)
				_, err := image.OpenFile(filepath.Join("data", "S", "msgs", blockio.RoomFile), blockio.ModeRead)
				require.Error(t, err, "it is removed at opening")
				require.NoError(t, s.Stop(t.Context()))
			}
		})
	}
	require.GreaterOrEqual(t, reached, 5)
}
