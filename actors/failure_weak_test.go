package actors_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWeakMessagesAreNotDamageWhileRecoveryFails: all that was stored was acknowledged at a weak level, a sync
// fails, and the recovery, which has cut it off, fails again and again. A reader gets each message or an error
// in its place, and goes on; nothing is counted as lost through damage, then or later.
func TestWeakMessagesAreNotDamageWhileRecoveryFails(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncInterval, actors.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			s, files := faulty(t, actors.Config{
				Sync: level, SyncEvery: time.Hour, BlockSize: 4096, RetryMax: time.Millisecond, NoPreallocation: true,
			})
			syncing, stored := make(chan struct{}), make(chan struct{})
			var failed atomic.Bool
			var attempts atomic.Int64
			files.SetHook(func(op blocktest.Op) blocktest.Fault {
				switch {
				case !strings.HasSuffix(op.Name, ".blk"):
				case op.Kind == blocktest.OpSync && failed.CompareAndSwap(false, true): // of the first block that is full
					close(syncing)
					return blocktest.Fault{Err: blocktest.ErrIO, Wait: func() { <-stored }}
				case op.Kind == blocktest.OpCreate && isClosed(stored):
					attempts.Add(1)
					return blocktest.Fault{Err: blocktest.ErrNoSpace}
				}
				return blocktest.Fault{}
			})
			const n = 60
			for range n {
				_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 200))
				require.NoError(t, err)
			}
			<-syncing
			close(stored)
			for i := range int64(3) {
				eventually(t, func() bool { return attempts.Load() > i })
				seen := make(map[uint64]bool)
				for m, err := range s.Messages(t.Context()) {
					var damage *blockio.CorruptionError
					switch {
					case err == nil:
						seen[m.Sequence] = true
					case errors.As(err, &damage):
						for sequence := damage.Sequence; sequence <= max(damage.Sequence, damage.Last); sequence++ {
							seen[sequence] = true
						}
					default:
						t.Fatal(err)
					}
				}
				for sequence := uint64(1); sequence <= n; sequence++ {
					require.True(t, seen[sequence], "attempt %d: nothing is said of %d", i, sequence)
					if m, err := s.LoadMsg(t.Context(), sequence); err == nil {
						require.Equal(t, sequence, m.Sequence)
					} else {
						require.ErrorIs(t, err, actors.ErrCorrupt, "attempt %d, sequence %d", i, sequence)
					}
				}
				state := stateOf(t, s)
				require.Equal(t, uint64(n), state.Messages)
				require.Zero(t, state.LostMessages)
			}
			require.True(t, s.Stats().Failed)
			files.SetHook(nil)
			eventually(t, recovered(s))
			after := func(s *actors.Store, last uint64) {
				state := stateOf(t, s)
				require.Equal(t, last, state.LastSequence)
				require.Equal(t, last-n, state.Messages)
				require.Zero(t, state.LostMessages)
				for sequence := uint64(1); sequence <= n; sequence++ {
					_, err := s.LoadMsg(t.Context(), sequence)
					require.ErrorIs(t, err, actors.ErrNotFound)
				}
			}
			after(s, n)
			require.Equal(t, uint64(n+1), mustStore(t, s, "a", "on it goes").Sequence)
			require.NoError(t, s.Stop(context.Background()))
			_, err := files.OpenFile(filepath.Join("streams", s.Name(), "msgs", blockio.LostFile), blockio.ModeRead)
			require.Error(t, err)
			s, err = actors.Open(t.Context(), quiet, actors.Config{Dir: "streams", Name: s.Name(), FS: files})
			require.NoError(t, err)
			after(s, n+1)
			require.NoError(t, s.Stop(context.Background()))
		})
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
