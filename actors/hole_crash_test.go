package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// largeMessage is one before which the file of a block is made longer, with bytes that are no zeros.
func largeMessage(n int) []byte { return bytes.Repeat([]byte{byte(n + 1), 0xa5}, 20<<10) }

// storedLarge checks that the stream has at least so many of the large messages, and nothing else, and takes another one.
func storedLarge(t *testing.T, s *actors.Store, acknowledged int, note string) {
	t.Helper()
	state := stateOf(t, s)
	require.GreaterOrEqual(t, state.Messages, uint64(acknowledged), note)
	require.LessOrEqual(t, state.Messages, uint64(acknowledged+1), note)
	require.Zero(t, state.LostMessages, note)
	for n := range int(state.Messages) {
		m, err := s.LoadMsg(t.Context(), uint64(n+1))
		require.NoError(t, err, note)
		require.True(t, bytes.Equal(largeMessage(n), m.Payload), note)
	}
	_, err := s.StoreMsg(t.Context(), "s", nil, []byte("goes on"))
	require.NoError(t, err, note)
}

// TestAHoleAheadOfLargeMessagesSurvivesCrashes before each file operation, in each way, also while the block is rolled.
func TestAHoleAheadOfLargeMessagesSurvivesCrashes(t *testing.T) {
	for name, key := range map[string]actors.KeyFunc{"plain": nil, "encrypted": actors.ServerKey("$G", "a key")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := blocktest.NewMemFS()
			fs := blocktest.NewFaultFS(mem)
			config := actors.Config{Dir: "data", Name: "ORDERS", FS: fs, Key: key, BlockSize: 130 << 10}
			s := openToFail(t, config)
			var acknowledged atomic.Int64
			images, stop := takeImages(fs, mem, rand.New(rand.NewSource(1)), crashImage{steps: acknowledged.Load})
			for n := range 5 {
				_, err := s.StoreMsg(t.Context(), "s", nil, largeMessage(n))
				require.NoError(t, err)
				acknowledged.Store(int64(n + 1))
			}
			stop()
			require.NoError(t, s.Stop(context.Background()))
			holes := 0
			for i, image := range *images {
				if image.op.Kind == blocktest.OpTruncate && image.mode == 0 {
					holes++
				}
				if modes := len(blocktest.CrashModes); testing.Short() && i%modes != i/modes%modes {
					continue // one way to crash for each operation
				}
				config.FS = image.mem
				again := openToFail(t, config)
				storedLarge(t, again, int(image.step), fmt.Sprintf("before %v, %v", image.op, image.mode))
				require.NoError(t, again.Stop(context.Background()))
			}
			require.Greater(t, holes, 1, "a hole in each block, and one that was cut off")
		})
	}
}

// TestAHoleThatCannotBeMade fails the store, as a write does, and nothing that was acknowledged is gone. On a full disk it is done without.
func TestAHoleThatCannotBeMade(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full disk %v", full), func(t *testing.T) {
			s, files := faulty(t, actors.Config{RetryMax: time.Millisecond})
			var failed atomic.Bool
			files.SetHook(onBlocks(blocktest.OpTruncate, func() blocktest.Fault {
				switch {
				case !failed.CompareAndSwap(false, true):
					return blocktest.Fault{}
				case full:
					return blocktest.Fault{Err: blocktest.ErrNoSpace}
				}
				return blocktest.Fault{Err: blocktest.ErrIO}
			}))
			_, err := s.StoreMsg(t.Context(), "s", nil, largeMessage(0))
			require.NoError(t, err)
			require.False(t, failed.Load(), "one message makes no hole")
			_, err = s.StoreMsg(t.Context(), "s", nil, largeMessage(1))
			require.True(t, failed.Load())
			if full {
				require.NoError(t, err)
				storedLarge(t, s, 2, "")
				return
			}
			require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
			eventually(t, recovered(s))
			files.SetHook(nil)
			m, err := s.LoadMsg(t.Context(), 1)
			require.NoError(t, err)
			require.True(t, bytes.Equal(largeMessage(0), m.Payload))
			_, err = s.StoreMsg(t.Context(), "s", nil, largeMessage(2))
			require.NoError(t, err)
		})
	}
}
