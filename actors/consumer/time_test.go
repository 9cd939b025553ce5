package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// inBubble runs a test on two streams in memory, with a clock that goes on when everybody waits.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: "/streams"}
		mem := blocktest.NewMemFS()
		w.source = w.open(actors.Config{Name: "WORK", FS: mem})
		w.state = w.open(actors.Config{Name: "STATE", FS: mem})
		test(t, w)
		require.NoError(t, w.source.Stop(t.Context()))
		require.NoError(t, w.state.Stop(t.Context()))
	})
}

// next pulls one message, and returns how long that took.
func (w *world) next(c *Consumer) (d Delivery, took time.Duration) {
	w.t.Helper()
	begun := time.Now()
	list, err := c.Pull(w.t.Context(), Pull{Expires: 24 * time.Hour})
	require.NoError(w.t, err)
	require.Len(w.t, list, 1)
	return list[0], time.Since(begun)
}

// TestTimesAreKept: a message comes again when its time is over, and neither before nor much later.
func TestTimesAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.publish("a")
		c := w.consumer(Config{AckWait: time.Minute})
		_, took := w.next(c)
		require.Zero(t, took)
		d, took := w.next(c)
		require.Equal(t, time.Minute, took)
		<-time.After(40 * time.Second)
		require.NoError(t, c.InProgress(t.Context(), d.Token))
		d, took = w.next(c)
		require.Equal(t, time.Minute, took, "counted anew")
		require.NoError(t, c.Nak(t.Context(), time.Hour, d.Token))
		d, took = w.next(c)
		require.Equal(t, time.Hour, took)
		require.Equal(t, uint64(4), d.Deliveries)
		require.NoError(t, c.Ack(t.Context(), d.Token))

		begun := time.Now()
		list, err := c.Pull(t.Context(), Pull{Expires: 90 * time.Second})
		require.NoError(t, err)
		require.Empty(t, list)
		require.Equal(t, 90*time.Second, time.Since(begun))
		require.NoError(t, c.Pause(t.Context(), time.Now().Add(3*time.Hour)))
		w.publish("b")
		_, took = w.next(c)
		require.Equal(t, 3*time.Hour, took)
		require.NoError(t, c.Stop(t.Context()))
	})
}

// TestBackOffIsInPlaceOfAckWait, also for a consumer that is opened meanwhile; after MaxDeliver the message is given up.
func TestBackOffIsInPlaceOfAckWait(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.publish("a")
		c := w.consumer(Config{AckWait: time.Hour, BackOff: []time.Duration{time.Second, 10 * time.Second}, MaxDeliver: 4})
		var took time.Duration
		var waits []time.Duration
		for range 4 {
			_, took = w.next(c)
			waits = append(waits, took)
			if len(waits) == 2 {
				<-time.After(4 * time.Second)
				require.NoError(t, c.Stop(t.Context()))
				c = w.consumer(Config{})
			}
		}
		require.Equal(t, []time.Duration{0, time.Second, 6 * time.Second, 10 * time.Second}, waits)
		begun := time.Now()
		notices, err := c.Notices(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(begun))
		require.Equal(t, NoticeExhausted, notices[0].Kind)
		require.True(t, notices[0].Time.Equal(time.Now()))
		require.NoError(t, c.Stop(t.Context()))
	})
}
