package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestALoneCallerMayLeaveAtAnyMoment: its context ends before, in, and after the turn that it runs itself. What it is told
// is what the stream has.
func TestALoneCallerMayLeaveAtAnyMoment(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		ways, shared := actors.WatchTurns()
		var cancelAt atomic.Int64 // file operations until the context ends
		var cancel atomic.Pointer[context.CancelFunc]
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		files.SetHook(func(blocktest.Op) (fault blocktest.Fault) {
			if cancelAt.Add(-1) == 0 {
				(*cancel.Load())()
			}
			return fault
		})
		s := open(t, actors.Config{Dir: "data", FS: files, Sync: level, Runtime: shared})
		ways.Of(s)
		type told struct {
			payload string
			err     error
		}
		var all []told
		for i := range 400 {
			ctx, end := context.WithCancel(context.Background())
			cancel.Store(&end)
			cancelAt.Store(int64(i % 5))
			if i%7 == 0 {
				var timeout context.CancelFunc
				ctx, timeout = context.WithTimeout(ctx, time.Duration(i)*time.Microsecond)
				defer timeout()
			}
			payload := fmt.Sprint(i)
			ack, err := s.StoreMsg(ctx, "a", nil, []byte(payload))
			end()
			if err == nil {
				m, err := s.LoadMsg(context.Background(), ack.Sequence)
				require.NoError(t, err)
				require.Equal(t, payload, string(m.Payload))
			}
			all = append(all, told{payload, err})
		}
		cancelAt.Store(0)
		require.NoError(t, s.Flush(context.Background()))
		next := uint64(1)
		for _, is := range all {
			m, err := s.LoadMsg(context.Background(), next)
			there := err == nil && string(m.Payload) == is.payload
			switch {
			case is.err == nil:
				require.True(t, there, is.payload)
			case errors.Is(is.err, actors.ErrOutcomeUnknown):
				// it is there, or it is not
			default:
				require.True(t, errors.Is(is.err, context.Canceled) || errors.Is(is.err, context.DeadlineExceeded), "%v", is.err)
				require.False(t, there, is.payload)
			}
			if there {
				next++
			}
		}
		require.Equal(t, next-1, stateOf(t, s).LastSequence)
		if level == actors.SyncNever { // else the goroutine that has done the commit is often still there
			require.Positive(t, ways.Visits.Load())
		}
	})
}
