package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockDoesNotGoBack, and follows what the system's does otherwise.
func TestClockDoesNotGoBack(t *testing.T) {
	wall, run := int64(1e18), time.Duration(0)
	c := newClock(func() (int64, time.Duration) { return wall, run })
	pass := func(d time.Duration) { wall, run = wall+int64(d), run+d }
	begun := wall
	pass(time.Minute)
	require.Equal(t, begun+int64(time.Minute), c.now())
	wall -= int64(time.Hour)
	pass(time.Minute)
	require.Equal(t, begun+int64(2*time.Minute), c.now(), "it was put back")
	wall += int64(20 * time.Minute)
	require.Equal(t, begun+int64(2*time.Minute), c.now(), "it was put forward, not as far")
	wall += int64(50 * time.Minute)
	require.Equal(t, begun+int64(12*time.Minute), c.now(), "and beyond where it should be")
	require.Zero(t, c.ahead)
	for range 100 { // slewed
		wall -= int64(time.Millisecond)
		pass(time.Second)
		require.Equal(t, wall, c.now())
	}
}

// TestAClockThatIsPutBackHoldsNothingUp: not a message that nobody settles, nor a pull, nor what was put off; and a pause
// ends when the clock of the system says so.
func TestAClockThatIsPutBackHoldsNothingUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		started := time.Now()
		var step atomic.Int64
		w.publish("a")
		c := w.consumer(Config{AckWait: time.Minute, clock: func() (int64, time.Duration) {
			now := time.Now()
			return now.UnixNano() + step.Load(), now.Sub(started)
		}})
		_, took := w.next(c)
		require.Zero(t, took)
		step.Store(-int64(time.Hour))
		d, took := w.next(c)
		require.Equal(t, time.Minute, took)
		require.NoError(t, c.Nak(t.Context(), time.Minute, d.Token))
		step.Add(-int64(time.Hour))
		d, took = w.next(c)
		require.Equal(t, time.Minute, took)
		require.NoError(t, c.Ack(t.Context(), d.Token))

		begun := time.Now()
		step.Add(-int64(time.Hour))
		list, err := c.Pull(t.Context(), Pull{Expires: time.Minute})
		require.NoError(t, err)
		require.Empty(t, list)
		require.Equal(t, time.Minute, time.Since(begun))

		until := time.Unix(0, time.Now().UnixNano()+step.Load()).Add(time.Minute)
		require.NoError(t, c.Pause(t.Context(), until))
		require.True(t, until.Equal(w.stats(c).PausedUntil))
		w.publish("b")
		_, took = w.next(c)
		require.Equal(t, time.Minute, took)
		require.True(t, w.stats(c).PausedUntil.IsZero())
		require.NoError(t, c.Stop(t.Context()))
	})
}
