package mailbox

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestAnAttemptThatFindsNoRoomKeepsNobodyWaiting: an attempt takes credit before it knows
// whether there is some, and gives it back. Whoever finds no room in that moment, although
// there is some, must not wait for longer than the moment lasts.
func TestAnAttemptThatFindsNoRoomKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredits(100, 10, errStopped)
		require.True(t, c.TryAcquire(6))
		stopped := make(chan struct{})
		for range 200 {
			var done atomic.Bool
			go func() {
				// It gives up when somebody seems to wait for good.
				for behind := 0; !done.Load() && behind < 1000; behind++ {
					if c.TryAcquire(5) {
						panic("there is no room for this one")
					}
					if c.waiting.Load() == 0 {
						behind = 0
					}
				}
			}()
			go func() {
				defer done.Store(true)
				for range 5000 {
					if c.Acquire(t.Context(), 4, stopped) != nil {
						return
					}
					c.Release(4)
				}
			}()
			synctest.Wait() // returns when both have ended, or one waits
			if c.waiting.Load() > 0 {
				close(stopped)
				synctest.Wait()
				t.Fatal("somebody waits although there is room")
			}
		}
		ops, bytes := c.InFlight()
		require.Equal(t, int64(1), ops)
		require.Equal(t, int64(6), bytes)
	})
}

// TestCreditGrantedToOneWhoLeavesComesBack: the end of a context and the grant may come in the
// same moment.
func TestCreditGrantedToOneWhoLeavesComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredits(100, 10, errStopped)
		left := 0
		for range 1000 {
			require.True(t, c.TryAcquire(10))
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- c.Acquire(ctx, 3, nil) }()
			synctest.Wait()
			cancel()
			c.Release(10) // before the other one has left the queue, now and then
			if <-result == nil {
				c.Release(3)
			} else {
				left++
			}
			ops, bytes := c.InFlight()
			require.Zero(t, ops)
			require.Zero(t, bytes, "credit is lost")
		}
		require.Positive(t, left)
	})
}
