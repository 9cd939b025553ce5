package consumer

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestDeliversUntilAcknowledged: what is acknowledged does not come again, over a stop too, and the rest does.
func TestDeliversUntilAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.publish("orders.a", "orders.b", "orders.c")
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, 10)
	require.Equal(t, []uint64{1, 2, 3}, sequences(list))
	require.Equal(t, "orders.b", string(list[1].Payload))
	require.Empty(t, w.pull(c, 10))
	require.NoError(t, c.Ack(t.Context(), list[0].Token))
	require.NoError(t, c.Nak(t.Context(), 0, list[2].Token))
	again := w.pull(c, 10)
	require.Equal(t, []uint64{3}, sequences(again))
	require.Equal(t, uint64(2), again[0].Deliveries)
	require.ErrorIs(t, c.Ack(t.Context(), list[0].Token), ErrNotPending)
	require.ErrorIs(t, c.Nak(t.Context(), 0, list[2].Token), ErrStale)
	require.NoError(t, c.Ack(t.Context(), list[2].Token), "any delivery of the message will do")
	require.NoError(t, c.Stop(t.Context()))
	require.NoError(t, c.Stop(t.Context()))
	require.ErrorIs(t, c.Ack(t.Context(), list[1].Token), ErrStopped)

	c = w.consumer(Config{})
	s := w.stats(c)
	require.Equal(t, []uint64{1, 4, 4, 1, 2, 1, 1}, []uint64{s.Floor, s.Position, s.Delivered, s.Redelivered, s.Acked, s.Naked, uint64(s.Pending)})
	require.Equal(t, time.Hour, s.Config.AckWait)
	require.NoError(t, c.Ack(t.Context(), list[1].Token), "a token holds over a stop")
	require.Equal(t, uint64(3), w.stats(c).Floor)
}

// TestComesAgainWhenNotSettled: a message that nobody settles in time is delivered again, and given up after so many
// deliveries, which a notice tells.
func TestComesAgainWhenNotSettled(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	c := w.consumer(Config{BackOff: []time.Duration{time.Millisecond, 2 * time.Millisecond}, MaxDeliver: 3})
	for n := uint64(1); n <= 3; n++ {
		list, err := c.Pull(t.Context(), Pull{Expires: time.Minute})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, n, list[0].Deliveries)
	}
	notices, err := c.Notices(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, notices, 1)
	require.Equal(t, Notice{1, NoticeExhausted, 1, 3, notices[0].Time}, notices[0])
	s := w.stats(c)
	require.Equal(t, []uint64{1, 1, 0}, []uint64{s.Exhausted, s.Floor, uint64(s.Pending)})
	require.NoError(t, c.Stop(t.Context()))
	c = w.consumer(Config{})
	after, err := c.Notices(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, notices, after)
}

// TestInProgressAndTerm: who says that he is at work keeps the message; who says that it cannot be done gets rid of it.
func TestInProgressAndTerm(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b")
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, 2)
	require.NoError(t, c.InProgress(t.Context(), list[0].Token))
	require.NoError(t, c.Term(t.Context(), list[1].Token))
	notices, err := c.Notices(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, NoticeTerminated, notices[0].Kind)
	require.ErrorIs(t, c.Term(t.Context(), list[1].Token), ErrNotPending)
	s := w.stats(c)
	require.Equal(t, []uint64{1, 1, 1}, []uint64{s.InProgress, s.Terminated, uint64(s.Pending)})
	for _, wrong := range []SettleRequest{
		{}, {Verdict: 9, Tokens: tokens(list)}, {Verdict: Ack, Delay: 1, Tokens: tokens(list)}, {Verdict: Nak, Delay: -1, Tokens: tokens(list)},
		{Verdict: Nak, Tokens: tokens(list), Outputs: []actors.BatchMessage{{Subject: "x"}}},
	} {
		_, err := c.Settle(t.Context(), wrong)
		require.ErrorIs(t, err, ErrRequest)
	}
}

// TestStarts: where a new consumer begins, and that one which is there goes on where it was.
func TestStarts(t *testing.T) {
	w := newWorld(t)
	w.publish("a.1", "b.1", "a.1", "b.2", "a.2")
	third, err := w.source.LoadMsg(t.Context(), 3)
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		config Config
		want   []uint64
		after  []uint64 // with 6 and 7 stored after the consumer was made
	}{
		{"all", Config{}, []uint64{1, 2, 3, 4, 5}, []uint64{6, 7}},
		{"all-filtered", Config{Filters: []string{"b.*"}}, []uint64{2, 4}, []uint64{7}},
		{"new", Config{Start: StartNew}, nil, []uint64{6, 7}},
		{"last", Config{Start: StartLast}, []uint64{5}, []uint64{6, 7}},
		{"last-filtered", Config{Start: StartLast, Filters: []string{"b.>"}}, []uint64{4}, []uint64{7}},
		{"last-of-none", Config{Start: StartLast, Filters: []string{"z.>"}}, nil, nil},
		{"last-per-subject", Config{Start: StartLastPerSubject}, []uint64{2, 3, 4, 5}, []uint64{6, 7}},
		{"last-per-subject-filtered", Config{Start: StartLastPerSubject, Filters: []string{"a.*"}}, []uint64{3, 5}, []uint64{6}},
		{"sequence", Config{Start: StartSequence, StartSequence: 4}, []uint64{4, 5}, []uint64{6, 7}},
		{"time", Config{Start: StartTime, StartTime: third.Time}, []uint64{3, 4, 5}, []uint64{6, 7}},
	} {
		row.config.Name = row.name
		c := w.consumer(row.config)
		require.Equal(t, uint64(len(row.want)), w.stats(c).Lag, row.name)
		require.Equal(t, row.want, sequences(w.pull(c, 10)), row.name)
		require.Zero(t, w.stats(c).Lag, row.name)
	}
	w.publish("a.1", "b.1")
	for _, row := range []struct {
		name string
		want []uint64
	}{{"all", []uint64{6, 7}}, {"new", []uint64{6, 7}}, {"last-of-none", nil}, {"last-per-subject-filtered", []uint64{6}}, {"time", []uint64{6, 7}}} {
		c := w.consumer(Config{Name: row.name}) // it takes over the one that is open
		require.Equal(t, uint64(len(row.want)), w.stats(c).Lag, row.name)
		require.Equal(t, row.want, sequences(w.pull(c, 10)), row.name)
	}
	names, err := List(t.Context(), w.state)
	require.NoError(t, err)
	require.Len(t, names, 10)
	require.Contains(t, names, Name{"WORK", "last-filtered"})
}

// TestLastPerSubjectInTheMiddle: a consumer that is opened again while it reads the last messages of subjects goes on with
// those, and then behind them.
func TestLastPerSubjectInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b", "a", "c", "b")
	c := w.consumer(Config{Start: StartLastPerSubject})
	w.publish("a", "b")
	require.Equal(t, []uint64{3}, sequences(w.pull(c, 1)))
	require.NoError(t, c.Stop(t.Context()))
	c = w.consumer(Config{})
	require.Equal(t, uint64(4), w.stats(c).Lag)
	require.Equal(t, []uint64{4, 5}, sequences(w.pull(c, 10))[:2])
	s := w.stats(c)
	require.Equal(t, uint64(8), s.Position+s.Lag)
}

// TestPullWaits: a pull waits for a message as long as it is willing to, and no longer.
func TestPullWaits(t *testing.T) {
	w := newWorld(t)
	c := w.consumer(Config{Filters: []string{"orders.*"}, MaxWaiting: 1})
	list, err := c.Pull(t.Context(), Pull{Expires: time.Millisecond})
	require.NoError(t, err)
	require.Empty(t, list)

	type answer struct {
		list []Delivery
		err  error
	}
	answers := make(chan answer, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		list, err := c.Pull(ctx, Pull{Batch: 5, Expires: math.MaxInt64})
		answers <- answer{list, err}
	}()
	w.until(c, func(s Stats) bool { return s.Waiting == 1 })
	_, err = c.Pull(t.Context(), Pull{Expires: time.Hour})
	require.ErrorIs(t, err, ErrTooManyPulls)
	w.publish("other", "orders.a")
	got := <-answers
	require.NoError(t, got.err)
	require.Equal(t, []uint64{2}, sequences(got.list))

	go func() {
		list, err := c.Pull(ctx, Pull{Expires: time.Hour})
		answers <- answer{list, err}
	}()
	w.until(c, func(s Stats) bool { return s.Waiting == 1 })
	gone := errors.New("gone")
	cancel(gone)
	require.ErrorIs(t, (<-answers).err, gone)
	w.until(c, func(s Stats) bool { return s.Waiting == 0 })
	_, err = c.Pull(t.Context(), Pull{Batch: -1})
	require.ErrorIs(t, err, ErrRequest)
}

// TestPullIsBounded: in messages, in bytes, and by MaxAckPending, but for messages that come again.
func TestPullIsBounded(t *testing.T) {
	w := newWorld(t)
	w.publishMany(1000)
	c := w.consumer(Config{MaxAckPending: 600, AckWait: time.Hour})
	list := w.pull(c, 7)
	require.Len(t, list, 7)
	list, err := c.Pull(t.Context(), Pull{Batch: 100, MaxBytes: 20})
	require.NoError(t, err)
	require.Len(t, list, 2)
	list, err = c.Pull(t.Context(), Pull{Batch: 100, MaxBytes: 1})
	require.NoError(t, err)
	require.Len(t, list, 1, "one may be larger")
	all := w.pull(c, 1000)
	require.Equal(t, uint64(11), all[0].Sequence)
	for {
		more := w.pull(c, 1000)
		if len(more) == 0 {
			break
		}
		all = append(all, more...)
	}
	require.Len(t, all, 590)
	require.NoError(t, c.Nak(t.Context(), 0, list[0].Token))
	require.Equal(t, []uint64{10}, sequences(w.pull(c, 10)))
	require.NoError(t, c.Ack(t.Context(), tokens(all)...))
	require.Equal(t, uint64(601), w.pull(c, 1)[0].Sequence)
}

// TestOrderPerSubject: one message of a subject is in flight, and the others of it wait for their turn.
func TestOrderPerSubject(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "a", "b", "a", "b", "c")
	c := w.consumer(Config{OrderPerSubject: actors.On, AckWait: time.Hour})
	first := w.pull(c, 10)
	require.Equal(t, []uint64{1, 3, 6}, sequences(first))
	s := w.stats(c)
	require.Equal(t, []uint64{3, 3, 0}, []uint64{uint64(s.Held), s.Lag, s.Floor})
	require.NoError(t, c.Nak(t.Context(), time.Hour, first[0].Token))
	require.Empty(t, w.pull(c, 10))
	require.NoError(t, c.Ack(t.Context(), first[1].Token))
	require.Equal(t, []uint64{5}, sequences(w.pull(c, 10)))
	require.NoError(t, c.Stop(t.Context()))
	c = w.consumer(Config{})
	require.NoError(t, c.Ack(t.Context(), first[0].Token))
	require.Equal(t, []uint64{2}, sequences(w.pull(c, 10)))
	w.publish("a")
	require.Empty(t, w.pull(c, 10))
}

// TestPause: nothing is delivered meanwhile, over a stop too; what is delivered can be settled.
func TestPause(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b")
	c := w.consumer(Config{})
	list := w.pull(c, 1)
	until := time.Now().Add(time.Hour)
	require.NoError(t, c.Pause(t.Context(), until))
	require.NoError(t, c.Stop(t.Context()))
	c = w.consumer(Config{})
	require.Empty(t, w.pull(c, 1))
	require.Equal(t, until.UnixNano(), w.stats(c).PausedUntil.UnixNano())
	require.NoError(t, c.Ack(t.Context(), list[0].Token))
	require.NoError(t, c.Resume(t.Context()))
	require.Equal(t, []uint64{2}, sequences(w.pull(c, 1)))
	require.NoError(t, c.Pause(t.Context(), time.Now().Add(2*time.Millisecond)))
	w.publish("c")
	list, err := c.Pull(t.Context(), Pull{Expires: time.Minute})
	require.NoError(t, err)
	require.Equal(t, []uint64{3}, sequences(list))
	require.ErrorIs(t, c.Pause(t.Context(), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)), ErrRequest)
}
