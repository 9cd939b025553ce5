package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

func output(subject, payload string, options ...actors.StoreOption) []actors.BatchMessage {
	return []actors.BatchMessage{{Subject: subject, Payload: []byte(payload), Options: options}}
}

// TestOutputsComeWithTheAcknowledgement: both are there, or none.
func TestOutputsComeWithTheAcknowledgement(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b")
	c := w.consumer(Config{})
	list := w.pull(c, 2)
	outputs := append(output("out.1", "x"), output("out.2", "y")...)
	ack, err := c.AckWith(t.Context(), outputs, list[0].Token)
	require.NoError(t, err)
	m, err := w.state.LoadMsg(t.Context(), ack.Last)
	require.NoError(t, err)
	require.Equal(t, "out.2", m.Subject)
	require.Equal(t, ack.First+1, ack.Last)

	_, err = c.AckWith(t.Context(), output("out.3", ""), list[0].Token)
	require.ErrorIs(t, err, ErrNotPending)
	_, err = c.AckWith(t.Context(), output("out.3", ""), list[1].Token, list[0].Token)
	require.ErrorIs(t, err, ErrNotPending, "all or nothing")
	_, err = c.AckWith(t.Context(), output("out.3", ""), list[1].Token, list[1].Token)
	require.ErrorIs(t, err, ErrNotPending, "each once")
	_, err = c.AckWith(t.Context(), output("out.3", "", actors.ExpectLastOfSubject("out.3", 7)), list[1].Token)
	require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	require.Equal(t, 1, w.stats(c).Pending, "what the stream refuses has changed nothing")
	_, err = w.state.LoadLastMsg(t.Context(), actors.Literal("out.3"))
	require.ErrorIs(t, err, actors.ErrNotFound)
	_, err = c.AckWith(t.Context(), output("out.3", ""), list[1].Token)
	require.NoError(t, err)
	require.Zero(t, w.stats(c).Pending)
}

// TestRefusedOutputsAreNobodyElses: what one caller may not store fails that caller, and none of those whose verdicts
// were on their way with it.
func TestRefusedOutputsAreNobodyElses(t *testing.T) {
	w := newWorld(t)
	const count = 200
	w.publishMany(count)
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, count)
	require.Len(t, list, count)
	var running sync.WaitGroup
	errs := make([]error, count)
	for i, d := range list {
		running.Go(func() {
			switch i % 4 {
			case 0:
				errs[i] = c.Ack(t.Context(), d.Token)
			case 1:
				_, errs[i] = c.AckWith(t.Context(), output("bad", "", actors.ExpectLastOfSubject("bad", 7)), d.Token)
			default:
				_, errs[i] = c.AckWith(t.Context(), output(fmt.Sprint("out.", d.Sequence), "x"), d.Token)
			}
		})
	}
	running.Wait()
	for i, err := range errs {
		if i%4 == 1 {
			require.ErrorIs(t, err, actors.ErrSequenceMismatch)
			continue
		}
		require.NoError(t, err)
	}
	require.Equal(t, count/4, w.stats(c).Pending)
	totals, err := w.state.SubjectsTotals(t.Context(), actors.Filter("out.*"))
	require.NoError(t, err)
	require.Len(t, totals, count/2)
	for subject, n := range totals {
		require.Equal(t, uint64(1), n, subject)
	}
}

// TestLargeOutputsGoInSeveralGroups: what is too large together is stored one after the other.
func TestLargeOutputsGoInSeveralGroups(t *testing.T) {
	w := newWorld(t)
	const count = 24
	w.publishMany(count)
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, count)
	large := string(make([]byte, 2<<20)) // 48 MiB together, and a batch has 32 at most
	var running sync.WaitGroup
	errs := make([]error, count)
	for i, d := range list {
		running.Go(func() { _, errs[i] = c.AckWith(t.Context(), output(fmt.Sprint("out.", d.Sequence), large), d.Token) })
	}
	running.Wait()
	require.NoError(t, errors.Join(errs...))
	totals, err := w.state.SubjectsTotals(t.Context(), actors.Filter("out.*"))
	require.NoError(t, err)
	require.Len(t, totals, count)
}

// TestOneHasAConsumer: who opens a consumer takes it, and whoever had it can change nothing any more.
func TestOneHasAConsumer(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b")
	first := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(first, 1)
	second := w.consumer(Config{})
	err := first.Ack(t.Context(), list[0].Token)
	require.ErrorIs(t, err, ErrStopped)
	<-first.Done()
	require.ErrorIs(t, first.Err(), ErrTaken)
	require.ErrorIs(t, first.Stop(t.Context()), ErrTaken)
	_, err = first.Pull(t.Context(), Pull{})
	require.ErrorIs(t, err, ErrStopped)
	require.ErrorIs(t, err, ErrTaken)
	require.NoError(t, second.Ack(t.Context(), list[0].Token))
	require.Equal(t, []uint64{2}, sequences(w.pull(second, 5)))
}

// TestDelete: a consumer that is deleted begins anew.
func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	c := w.consumer(Config{})
	require.Len(t, w.pull(c, 1), 1)
	require.NoError(t, c.Delete(t.Context()))
	_, err := Open(t.Context(), testSystem, w.source, w.state, Config{Name: "c", MustExist: true})
	require.ErrorIs(t, err, ErrNoConsumer)
	c = w.consumer(Config{})
	list := w.pull(c, 1)
	require.Equal(t, uint64(1), list[0].Deliveries)
	there, err := Remove(t.Context(), w.state, c.Name())
	require.NoError(t, err)
	require.True(t, there)
	require.Error(t, c.Ack(t.Context(), list[0].Token))
	<-c.Done()
	require.ErrorIs(t, c.Err(), ErrTaken)
	there, err = Remove(t.Context(), w.state, c.Name())
	require.NoError(t, err)
	require.False(t, there)
}

// TestStateIsSmall: the messages with the state are replaced by a snapshot, however often something changes, also in a stream
// that keeps one message of each subject.
func TestStateIsSmall(t *testing.T) {
	for _, maxPer := range []int64{0, 1, 3} {
		w := newWorld(t)
		w.state = w.open(actors.Config{Name: "KEYS", MaxMsgsPer: maxPer})
		w.publishMany(400)
		c := w.consumer(Config{AckWait: time.Hour})
		most := uint64(mostRecords)
		if maxPer > 0 {
			most = uint64(maxPer)
		}
		for range 400 {
			list := w.pull(c, 1)
			require.NoError(t, c.Ack(t.Context(), list[0].Token))
			state, err := w.state.FastState(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, state.Messages, most+1, "and one that says who has it")
		}
		require.NoError(t, c.Stop(t.Context()))
		c = w.consumer(Config{})
		s := w.stats(c)
		require.Equal(t, []uint64{400, 400, 400}, []uint64{s.Acked, s.Delivered, s.Floor})
	}
}

// TestConsume: workers handle each message, again after an error, and stop with the context.
func TestConsume(t *testing.T) {
	w := newWorld(t)
	w.publishMany(100)
	c := w.consumer(Config{AckWait: 40 * time.Millisecond})
	var mu sync.Mutex
	var once sync.Once
	handled := map[uint64]int{}
	all := make(chan struct{})
	done := make(chan error, 1)
	slow := make(chan struct{})
	go func() {
		done <- c.Consume(t.Context(), 4, time.Millisecond, func(_ context.Context, d Delivery) error {
			if d.Sequence == 50 {
				<-slow // for longer than AckWait, and it does not come again
			}
			mu.Lock()
			defer mu.Unlock()
			if handled[d.Sequence]++; handled[d.Sequence] == 1 && d.Sequence%10 == 3 {
				return errors.New("once more")
			}
			if len(handled) == 100 {
				once.Do(func() { close(all) })
			}
			return nil
		})
	}()
	w.until(c, func(s Stats) bool { return s.InProgress >= 3 })
	close(slow)
	<-all
	w.until(c, func(s Stats) bool { return s.Pending == 0 })
	require.NoError(t, c.Stop(t.Context()))
	require.ErrorIs(t, <-done, ErrStopped)
	for sequence, n := range handled {
		want := 1
		if sequence%10 == 3 {
			want = 2
		}
		require.GreaterOrEqual(t, n, want, "message %d", sequence)
	}
	require.ErrorIs(t, c.Consume(t.Context(), 0, 0, nil), ErrRequest)
}

// TestMessages: an iteration gives what comes, and what it has pulled ahead for nothing comes again at once.
func TestMessages(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b", "c")
	c := w.consumer(Config{AckWait: time.Hour})
	for d, err := range c.Messages(t.Context(), 3) {
		require.NoError(t, err)
		require.NoError(t, c.Ack(t.Context(), d.Token))
		break
	}
	require.Equal(t, []uint64{2, 3}, sequences(w.pullAll(c, 2)))
	require.Empty(t, w.pull(c, 5))
	require.NoError(t, c.Stop(t.Context()))
	for _, err := range c.Messages(t.Context(), 1) {
		require.ErrorIs(t, err, ErrStopped)
	}
}

// TestStateInTheStreamItself: one stream can hold the work, the results and the state; then all three are one.
func TestStateInTheStreamItself(t *testing.T) {
	w := newWorld(t)
	w.state = w.source
	w.publish("in.a", "in.b", "in.c")
	c := w.consumer(Config{Filters: []string{"in.*"}})
	list := w.pull(c, 2)
	require.Equal(t, []uint64{1, 2}, sequences(list))
	_, err := c.AckWith(t.Context(), output("in.again", "x"), list[0].Token) // which is work for it, too
	require.NoError(t, err)
	rest := w.pullAll(c, 2)
	require.Equal(t, "in.again", rest[1].Subject)
	require.NoError(t, c.Ack(t.Context(), tokens(append(list[1:], rest...))...))
	require.Empty(t, w.pull(c, 5))
	require.NoError(t, c.Stop(t.Context()))
	c = w.consumer(Config{})
	require.Empty(t, w.pull(c, 5))
	s := w.stats(c)
	require.Equal(t, []uint64{4, 0, 0}, []uint64{s.Acked, s.Lag, uint64(s.Pending)})
}
