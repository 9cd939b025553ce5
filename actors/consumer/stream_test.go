package consumer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// untilPatience is how long figures may take to become what they must: far longer than they do.
const untilPatience = time.Minute

// until waits for the figures of a consumer to be as wanted.
func (w *world) until(c *Consumer, wanted func(Stats) bool) Stats {
	w.t.Helper()
	for end := time.Now().Add(untilPatience); ; {
		s := w.stats(c)
		if wanted(s) {
			return s
		}
		require.True(w.t, time.Now().Before(end), "still waiting: %+v", s)
	}
}

// TestRemovedMessagesAreSettled: what a removal or a limit takes is not waited for any more, whoever has it, and whether one
// message goes or many.
func TestRemovedMessagesAreSettled(t *testing.T) {
	for name, remove := range map[string]func(w *world) error{
		"remove": func(w *world) error {
			for sequence := range uint64(4) {
				if _, err := w.source.RemoveMsg(w.t.Context(), sequence+1); err != nil {
					return err
				}
			}
			return nil
		},
		"erase": func(w *world) error {
			for sequence := range uint64(4) {
				if _, err := w.source.EraseMsg(w.t.Context(), sequence+1); err != nil {
					return err
				}
			}
			return nil
		},
		"purge":   func(w *world) error { _, err := w.source.Purge(w.t.Context()); return err },
		"compact": func(w *world) error { _, err := w.source.Compact(w.t.Context(), 5); return err },
		"limit": func(w *world) error {
			return w.source.UpdateConfig(w.t.Context(), actors.Config{Dir: w.dir, Name: "WORK", MaxMsgs: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish("a", "a", "b", "b", "c", "c")
			c := w.consumer(Config{OrderPerSubject: actors.On, AckWait: time.Hour, MaxAckPending: 4})
			list := w.pull(c, 10)
			require.Equal(t, []uint64{1, 3, 5}, sequences(list))
			require.NoError(t, remove(w))
			gone := 4
			if name == "purge" {
				gone = 6
			}
			s := w.until(c, func(s Stats) bool { return s.Removed == uint64(gone) })
			require.Equal(t, 6-gone, s.Pending+s.Held)
			require.ErrorIs(t, c.Ack(t.Context(), list[0].Token), ErrNotPending)
			notices, err := c.Notices(t.Context(), 0)
			require.NoError(t, err)
			require.Len(t, notices, gone)
			require.Equal(t, NoticeRemoved, notices[0].Kind)
			w.publish("a")
			want := []uint64{7}
			if name == "limit" {
				want = []uint64{6, 7} // 5 made room
			}
			require.Equal(t, want, sequences(w.pullAll(c, len(want))))
			require.Empty(t, w.pull(c, 10))
		})
	}
}

// TestRemovedWhileClosed: what goes while nobody has the consumer open is settled when it is opened.
func TestRemovedWhileClosed(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b", "c", "d")
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, 3)
	require.NoError(t, c.Stop(t.Context()))
	_, err := w.source.RemoveMsg(t.Context(), 2)
	require.NoError(t, err)
	_, err = w.source.RemoveMsg(t.Context(), 4)
	require.NoError(t, err)
	c = w.consumer(Config{})
	s := w.until(c, func(s Stats) bool { return s.Removed == 1 })
	require.Equal(t, 2, s.Pending)
	require.NoError(t, c.Ack(t.Context(), list[0].Token, list[2].Token))
	require.Empty(t, w.pull(c, 1))
}

// TestReadAheadIsNotDelivered: a message that is removed after it was read ahead is not delivered any more.
func TestReadAheadIsNotDelivered(t *testing.T) {
	w := newWorld(t)
	w.publishMany(10)
	c := w.consumer(Config{AckWait: time.Hour})
	require.Len(t, w.pull(c, 1), 1)
	_, err := w.source.RemoveMsg(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, []uint64{3}, sequences(w.pull(c, 1)))
	_, err = w.source.Compact(t.Context(), 6)
	require.NoError(t, err)
	require.Equal(t, []uint64{6, 7, 8, 9, 10}, sequences(w.pull(c, 10)))
}

func (w *world) truncate(last uint64) {
	w.t.Helper()
	_, err := w.source.Truncate(w.t.Context(), last)
	require.NoError(w.t, err)
}

// TestTruncatedStream: sequences that the stream gives again are other messages.
func TestTruncatedStream(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b", "c")
	c := w.consumer(Config{AckWait: time.Hour})
	list := w.pull(c, 3)
	w.truncate(1)
	w.publish("x", "y")
	again := w.pull(c, 10)
	require.Equal(t, []uint64{2, 3}, sequences(again))
	require.Equal(t, "x", again[0].Subject)
	require.ErrorIs(t, c.Ack(t.Context(), list[1].Token), ErrNotPending)
	require.NoError(t, c.Ack(t.Context(), list[0].Token, again[0].Token, again[1].Token))
	require.NoError(t, c.Stop(t.Context()))

	w.truncate(1)
	c = w.consumer(Config{})
	require.Empty(t, w.pull(c, 1))
	w.publish("z")
	require.Equal(t, []uint64{2}, sequences(w.pull(c, 10)))
}

// TestStreamsThatStop end the consumer, and whoever waits for it.
func TestStreamsThatStop(t *testing.T) {
	for _, name := range []string{"source", "state"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish("a")
			c := w.consumer(Config{AckWait: time.Hour})
			list := w.pull(c, 1)
			ended := make(chan error, 1)
			go func() {
				_, err := c.Pull(t.Context(), Pull{Expires: time.Hour})
				ended <- err
			}()
			w.until(c, func(s Stats) bool { return s.Waiting == 1 })
			store := w.source
			if name == "state" {
				store = w.state
			}
			require.NoError(t, store.Stop(t.Context()))
			require.ErrorIs(t, <-ended, ErrStopped)
			<-c.Done()
			require.ErrorIs(t, c.Err(), ErrStreamStopped)
			require.ErrorIs(t, c.Ack(t.Context(), list[0].Token), ErrStopped)
			require.ErrorIs(t, c.Stop(t.Context()), ErrStreamStopped)
			_, err := Open(t.Context(), testSystem, w.source, w.state, Config{Name: "d"})
			require.Error(t, err)
		})
	}
}

// TestDeleteWithoutTheStateStops: it says that the state is not removed, and leaves nobody waiting.
func TestDeleteWithoutTheStateStops(t *testing.T) {
	for range 20 { // the end of the stream and the deletion come in any order
		w := newWorld(t)
		w.publish("a")
		c := w.consumer(Config{})
		deleted := make(chan error, 1)
		go func() { deleted <- c.Delete(t.Context()) }()
		require.NoError(t, w.state.Stop(t.Context()))
		if err := <-deleted; err == nil {
			continue // it was first
		}
		_ = c.Stop(t.Context()) // it was taken, if it has noticed
		require.Error(t, c.Delete(t.Context()))
	}
}

// TestAnotherStreamOfTheName: a consumer does not go on with the messages of a stream that was made after its own was
// deleted.
func TestAnotherStreamOfTheName(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	c := w.consumer(Config{})
	require.NoError(t, w.source.Delete(t.Context(), actors.DeleteOptions{}))
	<-c.Done()
	w.source = w.open(actors.Config{Name: "WORK"})
	_, err := Open(t.Context(), testSystem, w.source, w.state, Config{Name: "c"})
	require.ErrorIs(t, err, ErrOtherStream)
	_, err = Remove(t.Context(), w.state, c.Name())
	require.NoError(t, err)
	w.consumer(Config{})
}

// TestMessagesPassBy: a consumer whose filters select little reads on over the rest, and is not woken by it.
func TestMessagesPassBy(t *testing.T) {
	w := newWorld(t)
	c := w.consumer(Config{Filters: []string{"mine.>"}})
	for range 3 {
		w.publishMany(5000)
		require.Empty(t, w.pull(c, 1))
	}
	w.publish("mine.1")
	list := w.pull(c, 5)
	require.Equal(t, []uint64{15001}, sequences(list))
	require.NoError(t, c.Ack(t.Context(), list[0].Token))
	s := w.stats(c)
	require.Equal(t, []uint64{15001, 15002, 0}, []uint64{s.Floor, s.Position, s.Lag})
}

// TestWhatPassesByIsNotReadAgain: the position of a consumer moves on with messages that its filters do not select, also in
// what is written down, so that to open it does not mean to read all of them, and to count its lag neither.
func TestWhatPassesByIsNotReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.consumer(Config{Filters: []string{"mine.>"}})
		require.Empty(t, w.pull(c, 1))
		for range 5 {
			w.publishMany(5000)
			synctest.Wait()
		}
		require.Equal(t, uint64(25001), w.stats(c).Position)
		taken := w.consumer(Config{}) // whose state is what was written down
		require.GreaterOrEqual(t, w.stats(taken).Position, uint64(15001))
		w.publish("mine.1")
		require.Equal(t, []uint64{25001}, sequences(w.pull(taken, 5)))
		w.publish("other")
		synctest.Wait()
		require.Equal(t, []uint64{25000, 25003}, []uint64{w.stats(taken).Floor, w.stats(taken).Position})
		w.publish("mine.2", "other")
		synctest.Wait()
		require.Equal(t, []uint64{25003}, sequences(w.pull(taken, 5)), "nobody has read that yet")
		require.NoError(t, taken.Stop(t.Context()))
		_ = c.Stop(t.Context()) // it was taken, if it has noticed
	})
}

// TestADamagedMessageIsSettled: what the disk has spoilt is not waited for, and everything else is delivered.
func TestADamagedMessageIsSettled(t *testing.T) {
	w := newWorld(t)
	w.publish("first", "spoilt.one", "last", "spoilt.two", "end")
	c := w.consumer(Config{AckWait: time.Hour})
	require.NoError(t, c.Nak(t.Context(), 0, tokens(w.pull(c, 3))...))
	require.NoError(t, c.Stop(t.Context()))
	require.NoError(t, w.source.Stop(t.Context()))
	block := filepath.Join(w.dir, "WORK", "msgs", "1.blk")
	content, err := os.ReadFile(block)
	require.NoError(t, err)
	for _, payload := range []string{"spoilt.one", "spoilt.two"} {
		at := bytes.LastIndex(content, []byte(payload)) // behind that of the subject
		require.Positive(t, at)
		content[at] ^= 1
	}
	require.NoError(t, os.WriteFile(block, content, 0o600))
	w.source = w.open(actors.Config{Name: "WORK"})
	c = w.consumer(Config{})
	got := map[uint64]bool{}
	for len(got) < 3 {
		list, err := c.Pull(t.Context(), Pull{Batch: 5, Expires: 10 * time.Millisecond})
		require.NoError(t, err)
		for _, d := range list {
			got[d.Sequence] = true
			require.NoError(t, c.Ack(t.Context(), d.Token))
		}
	}
	require.Equal(t, map[uint64]bool{1: true, 3: true, 5: true}, got)
	s := w.until(c, func(s Stats) bool { return s.Pending == 0 })
	require.Equal(t, uint64(1), s.Removed+s.Damaged)
	require.Equal(t, uint64(5), s.Floor)
	notices, err := c.Notices(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(2), notices[0].Sequence)
}

// TestWhatReadErrorsMean: only what is gone or spoilt for good is settled.
func TestWhatReadErrorsMean(t *testing.T) {
	for err, want := range map[error]outcome{
		nil: readFine, actors.ErrNotFound: readGone, actors.ErrEOF: readGone, actors.ErrCorrupt: readDamaged, actors.ErrSector: readSector,
		actors.ErrUnreadable: readLater, actors.ErrOverloaded: readLater, actors.ErrFailed: readLater, actors.ErrStopped: readStopped,
	} {
		require.Equal(t, want, outcomeOf(err), "%v", err)
	}
}
