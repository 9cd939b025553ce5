package actors_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// opens reports whether an operation needs a descriptor.
func opens(op blocktest.Op) bool {
	switch op.Kind {
	case blocktest.OpOpen, blocktest.OpCreate, blocktest.OpSyncDir, blocktest.OpReadDir, blocktest.OpMkdir, blocktest.OpLock:
		return true
	}
	return false
}

// descriptorless is a stream whose file system is out of descriptors at some calls in a row of those that need one.
type descriptorless struct {
	files      *blocktest.FaultFS
	from, upTo int64
	calls      atomic.Int64
}

func (d *descriptorless) hook(op blocktest.Op) blocktest.Fault {
	if n := d.calls.Add(1) - 1; opens(op) && n >= d.from && n < d.upTo {
		return blocktest.Fault{Err: syscall.EMFILE}
	}
	return blocktest.Fault{}
}

// TestOutOfDescriptorsIsNoFailure: at whatever call there is none, and whether for once or for a while, the store does
// not fail, nothing is lost, and who is told is told why.
//
// It has no bubble: who waits holds a lock at times for which others wait, and a bubble's clock stands still then.
func TestOutOfDescriptorsIsNoFailure(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		for _, calls := range []int64{1, 4} {
			t.Run(fmt.Sprintf("encrypted %v, %d calls", encrypted, calls), func(t *testing.T) {
				t.Parallel()
				stride := calls
				if testing.Short() {
					stride = 11
				}
				reached := true
				for at := int64(0); reached; at += stride {
					d := &descriptorless{files: blocktest.NewFaultFS(blocktest.NewMemFS()), from: at, upTo: at + calls}
					reached = d.live(t, encrypted)
				}
			})
		}
	}
}

// live lives through one case. It reports whether that was reached.
func (d *descriptorless) live(t *testing.T, encrypted bool) bool {
	config := actors.Config{
		Dir: "data", Name: "S", FS: d.files, BlockSize: 4 << 10, IndexFrom: 1, MaxMsgs: 25,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{MaxOpenFiles: 2}),
	}
	if encrypted {
		config.Key = actors.ServerKey("$G", "a key that is long enough, perhaps")
	}
	s := openToFail(t, config)
	mustStore(t, s, "a", "first")
	var counting atomic.Bool
	counting.Store(true)
	d.files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if !opens(op) || !counting.Load() {
			return blocktest.Fault{}
		}
		return d.hook(op)
	})
	payload := make([]byte, 300)
	for range 40 {
		if _, err := s.StoreMsg(t.Context(), "a", nil, payload); err != nil {
			t.Fatalf("call %d: a store: %v", d.from, err)
		}
		for _, sequence := range []uint64{s.Stats().FirstSequence, s.Stats().LastSequence} {
			if _, err := s.LoadMsg(t.Context(), sequence); err != nil {
				require.ErrorIs(t, err, actors.ErrNoDescriptors, "call %d", d.from)
				require.NotErrorIs(t, err, actors.ErrCorrupt)
			}
		}
	}
	for _, remove := range []uint64{s.Stats().FirstSequence + 1, s.Stats().LastSequence - 1} {
		if _, err := s.EraseMsg(t.Context(), remove); err != nil {
			require.ErrorIs(t, err, actors.ErrNoDescriptors, "call %d: an erasure", d.from)
		}
	}
	stats := s.Stats()
	require.Zero(t, stats.Failures, "call %d", d.from)
	require.Zero(t, stats.LostMessages, "call %d", d.from)
	require.NoError(t, s.Stop(t.Context()), "call %d", d.from)
	counting.Store(false)
	reached := d.calls.Load() > d.from
	s = openToFail(t, config)
	require.Equal(t, stats.Messages, s.Stats().Messages, "call %d", d.from)
	require.Equal(t, stats.LastSequence, s.Stats().LastSequence)
	require.Zero(t, s.Stats().LostMessages)
	require.NoError(t, s.Stop(t.Context()))
	return reached
}

// TestWhoWaitsForADescriptorIsTold: an operation whose context ends meanwhile, and an Open. A stop ends the waiting.
func TestWhoWaitsForADescriptorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		config := actors.Config{Dir: "data", Name: "S", FS: files}
		s := openToFail(t, config)
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if opens(op) {
				return blocktest.Fault{Err: syscall.ENFILE}
			}
			return blocktest.Fault{}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.StoreMsg(ctx, "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrNoDescriptors)
		require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "ulimit -n")
		require.NoError(t, s.Err())
		config.Name = "T"
		_, err = actors.Open(t.Context(), quiet, config)
		require.ErrorIs(t, err, actors.ErrNoDescriptors)
		begin := time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, s.Stop(ctx))
		require.Less(t, time.Since(begin), 3*time.Second)
		files.SetHook(nil)
		config.Name = "S"
		s = openToFail(t, config)
		require.NoError(t, s.Stop(t.Context()))
	})
}
