package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClockTakesNoNoticeOfSteps, and follows what the system's does otherwise.
func TestClockTakesNoNoticeOfSteps(t *testing.T) {
	wall, run := int64(1e18), time.Duration(0)
	c := newClock(func() (int64, time.Duration) { return wall, run })
	pass := func(d time.Duration) { wall, run = wall+int64(d), run+d }
	begun := wall
	pass(time.Minute)
	require.Equal(t, begun+int64(time.Minute), c.now())
	wall -= int64(time.Hour)
	pass(time.Minute)
	require.Equal(t, begun+int64(2*time.Minute), c.now(), "it was put back")
	require.Equal(t, int64(time.Hour), c.ahead)
	wall += int64(3 * time.Hour)
	require.Equal(t, begun+int64(2*time.Minute), c.now(), "and forward")
	require.Equal(t, -int64(2*time.Hour), c.ahead)
	wall -= int64(2 * time.Hour)
	require.Equal(t, wall, c.now())
	for range 100 { // slewed
		wall -= int64(time.Millisecond)
		pass(time.Second)
		require.Equal(t, wall, c.now())
	}
}

// TestStepsOfTheClockMeanNothing to a message that nobody settles, to a pull, and to what was put off. A pause ends when the
// clock of the system says so, by which notices are dated.
func TestStepsOfTheClockMeanNothing(t *testing.T) {
	for name, by := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) { stepClock(t, w, int64(by)) })
		})
	}
}

func stepClock(t *testing.T, w *world, by int64) {
	started := time.Now()
	var step atomic.Int64
	system := func() time.Time { return time.Unix(0, time.Now().UnixNano()+step.Load()) }
	w.publish("a")
	c := w.consumer(Config{AckWait: time.Minute, MaxDeliver: 3, clock: func() (int64, time.Duration) {
		return system().UnixNano(), time.Since(started)
	}})
	_, took := w.next(c)
	require.Zero(t, took)
	step.Store(by)
	d, took := w.next(c)
	require.Equal(t, time.Minute, took)
	require.NoError(t, c.Nak(t.Context(), time.Minute, d.Token))
	step.Add(by)
	_, took = w.next(c)
	require.Equal(t, time.Minute, took)

	begun := time.Now()
	step.Add(by)
	list, err := c.Pull(t.Context(), Pull{Expires: time.Second})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, time.Second, time.Since(begun))
	notices, err := c.Notices(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, time.Minute, time.Since(begun))
	require.True(t, system().Equal(notices[0].Time), "%v %v", system(), notices[0].Time)

	until := system().Add(time.Minute)
	require.NoError(t, c.Pause(t.Context(), until))
	require.True(t, until.Equal(w.stats(c).PausedUntil))
	w.publish("b")
	_, took = w.next(c)
	require.Equal(t, time.Minute, took)
	require.True(t, w.stats(c).PausedUntil.IsZero())
	require.NoError(t, c.Stop(t.Context()))
}
