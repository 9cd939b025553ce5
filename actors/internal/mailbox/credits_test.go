package mailbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

var (
	errStopped = errors.New("stopped")
	errNoRoom  = errors.New("no room")
)

func TestCreditIsBoundedInOperations(t *testing.T) {
	c := NewCredits(2, 1000, errStopped)
	require.True(t, c.TryAcquire(1))
	require.True(t, c.TryAcquire(1))
	require.False(t, c.TryAcquire(1))
	c.Release(1)
	require.True(t, c.TryAcquire(1))
	require.Equal(t, int64(2), opsOf(c))
	require.Equal(t, int64(2), bytesOf(c))
}

func TestCreditIsBoundedInBytes(t *testing.T) {
	c := NewCredits(100, 10, errStopped)
	require.True(t, c.TryAcquire(6))
	require.False(t, c.TryAcquire(5))
	require.True(t, c.TryAcquire(4))
	c.Release(6)
	require.True(t, c.TryAcquire(5))
	require.Equal(t, int64(2), opsOf(c))
	require.Equal(t, int64(9), bytesOf(c))
}

// TestWhatLingersIsNotCounted: an operation is the only one on its way if there is none beside it but those that go on for long.
func TestWhatLingersIsNotCounted(t *testing.T) {
	c := NewCredits(10, 1000, errStopped)
	require.True(t, c.TryAcquire(1))
	require.True(t, c.Sole())
	c.Linger(1)
	require.False(t, c.Sole(), "it lingers itself")
	require.True(t, c.TryAcquire(1))
	require.True(t, c.Sole())
	require.True(t, c.TryAcquire(1))
	require.False(t, c.Sole())
	c.Linger(2)
	require.True(t, c.Sole())
	c.Linger(0)
	c.ReleaseMany(2, 2)
	require.True(t, c.Sole())
}

func TestOversizedOperationGoesAlone(t *testing.T) {
	c := NewCredits(100, 10, errStopped)
	require.True(t, c.TryAcquire(50))
	require.False(t, c.TryAcquire(1))
	require.False(t, c.TryAcquire(50))
	c.Release(50)
	require.True(t, c.TryAcquire(1))
	require.False(t, c.TryAcquire(50))
}

// TestWaitingForCreditIsQuietAndInOrder: whoever waits is at rest, in order, and is let
// go when there is room, large ones before the small ones behind them.
func TestWaitingForCreditIsQuietAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredits(100, 10, errStopped)
		require.True(t, c.TryAcquire(8))
		var mu sync.Mutex
		var order []int
		for i, bytes := range []int64{3, 50, 1, 10, 2} {
			go func() {
				if err := c.Acquire(t.Context(), bytes, nil); err != nil {
					panic(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			}()
			synctest.Wait() // returns when nothing spins
		}
		require.Empty(t, order)
		require.Equal(t, int32(5), c.waiting.Load())
		require.False(t, c.TryAcquire(1), "nobody overtakes those who wait")
		for _, step := range []struct {
			release int64
			want    []int
		}{
			{8, []int{0}}, {3, []int{0, 1}}, {50, []int{0, 1, 2}}, {1, []int{0, 1, 2, 3}}, {10, []int{0, 1, 2, 3, 4}},
		} {
			c.Release(step.release)
			synctest.Wait()
			require.Equal(t, step.want, order)
		}
		c.Release(2)
		require.Zero(t, opsOf(c))
		require.Zero(t, bytesOf(c))
	})
}

func TestWaitingForCreditEndsWithContextOrStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredits(1, 10, errStopped)
		require.True(t, c.TryAcquire(10))
		stopped := make(chan struct{})
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		errs := make(chan error, 3)
		go func() { errs <- c.Acquire(ctx, 1, stopped) }()
		synctest.Wait()
		go func() { errs <- c.Acquire(t.Context(), 1, stopped) }()
		synctest.Wait()
		cancel(cause)
		require.ErrorIs(t, <-errs, cause)
		require.Equal(t, int32(1), c.waiting.Load())
		close(stopped)
		require.ErrorIs(t, <-errs, errStopped)
		require.Zero(t, c.waiting.Load())
		require.Nil(t, c.first)
		require.Nil(t, c.last)
		require.Equal(t, int64(1), opsOf(c))
		// A large one that gives up lets the small one behind it go.
		c = NewCredits(10, 10, errStopped)
		require.True(t, c.TryAcquire(5))
		ctx, cancel = context.WithCancelCause(t.Context())
		go func() { errs <- c.Acquire(ctx, 9, nil) }()
		synctest.Wait()
		go func() { errs <- c.Acquire(t.Context(), 5, nil) }()
		synctest.Wait()
		cancel(cause)
		synctest.Wait()
		require.Len(t, errs, 2)
		require.ErrorIs(t, <-errs, cause)
		require.NoError(t, <-errs)
	})
}

// TestCreditIsNeitherLostNorInvented under contention, with contexts that end at
// any moment.
func TestCreditIsNeitherLostNorInvented(t *testing.T) {
	c := NewCredits(4, 100, errStopped)
	var inside, insideBytes, most atomic.Int64
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 2000 {
				bytes := int64(1 + (g*7+i*13)%60)
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go cancel()
				}
				var err error
				if i%3 == 0 {
					if !c.TryAcquire(bytes) {
						err = errNoRoom
					}
				} else {
					err = c.Acquire(ctx, bytes, nil)
				}
				if err == nil {
					n := inside.Add(1)
					all := insideBytes.Add(bytes)
					if n > 4 || all > 100 {
						most.Store(max(most.Load(), n*1000+all))
					}
					inside.Add(-1)
					insideBytes.Add(-bytes)
					c.Release(bytes)
				}
				cancel()
			}
		})
	}
	all.Wait()
	require.Zero(t, most.Load(), "beyond the bounds")
	require.Zero(t, opsOf(c))
	require.Zero(t, bytesOf(c))
	require.Zero(t, c.waiting.Load())
}

func opsOf(c *Credits) int64 {
	ops, _ := c.InFlight()
	return ops
}

func bytesOf(c *Credits) int64 {
	_, bytes := c.InFlight()
	return bytes
}
