package consumer

import (
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// ledger is what the workers of a stress test have seen.
type ledger struct {
	mu      sync.Mutex
	handled map[uint64]bool
	settled map[uint64]uint64 // by sequence, a number that deliveries from before have at most
	wrong   []string
}

func (l *ledger) deliver(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[d.Sequence] = true
	if number, ok := l.settled[d.Sequence]; ok && d.Token.Number > number {
		l.wrong = append(l.wrong, fmt.Sprintf("message %d was settled before delivery %d, and came with %v", d.Sequence, number, d.Token))
	}
}

func (l *ledger) settle(sequence, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.settled[sequence]; !ok {
		l.settled[sequence] = number
	}
}

// TestWorkersAmongRemovals has workers settle messages in every way while others store, remove and purge, and while the
// consumer is opened by somebody else again and again. What is settled does not come again; in the end every message that is
// there was handled, and nothing is pending.
func TestWorkersAmongRemovals(t *testing.T) {
	for _, row := range []struct {
		name    string
		ordered actors.Switch
		maxPer  int64
	}{{"in any order", actors.Off, 0}, {"in order", actors.On, 0}, {"one message of each subject", actors.On, 1}} {
		t.Run(row.name, func(t *testing.T) { workAmongRemovals(t, row.ordered, row.maxPer) })
	}
}

func workAmongRemovals(t *testing.T, ordered actors.Switch, maxPer int64) {
	const messages, workers = 1500, 6
	w := newWorld(t)
	if maxPer > 0 {
		w.state = w.open(actors.Config{Name: "KEYS", MaxMsgsPer: maxPer})
	}
	l := &ledger{handled: map[uint64]bool{}, settled: map[uint64]uint64{}}
	config := Config{Name: "c", OrderPerSubject: ordered, AckWait: 5 * time.Millisecond, MaxAckPending: 40}
	var mu sync.Mutex // guards current
	current := w.consumer(config)
	get := func() *Consumer {
		mu.Lock()
		defer mu.Unlock()
		return current
	}
	var others, working sync.WaitGroup
	others.Go(func() { // stores, and now and then removes
		rng := rand.New(rand.NewSource(1))
		for i := range messages {
			w.publish(fmt.Sprint("k.", rng.Intn(20)))
			switch rng.Intn(40) {
			case 0:
				_, err := w.source.RemoveMsg(t.Context(), uint64(1+rng.Intn(i+1)))
				require.NoError(t, err)
			case 1:
				_, err := w.source.PurgeEx(t.Context(), actors.Literal(fmt.Sprint("k.", rng.Intn(20))), uint64(max(1, i-200)), 0)
				require.NoError(t, err)
			}
		}
	})
	others.Go(func() { // takes the consumer over
		for range 20 {
			next := w.consumer(config)
			mu.Lock()
			current = next
			mu.Unlock()
			_, _ = next.Pull(t.Context(), Pull{Batch: 1, Expires: time.Millisecond}) // which some worker is to get again
		}
	})
	done := make(chan struct{})
	for worker := range workers {
		working.Go(func() {
			rng := rand.New(rand.NewSource(int64(worker)))
			for {
				c := get()
				list, err := c.Pull(t.Context(), Pull{Batch: 1 + rng.Intn(8), Expires: 5 * time.Millisecond})
				if err != nil && !errors.Is(err, ErrStopped) {
					t.Error(err)
				}
				for _, d := range list {
					l.deliver(d)
					l.judge(t, c, d, rng)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	others.Wait()
	s := w.until(get(), func(s Stats) bool { return s.Lag == 0 && s.Pending == 0 })
	close(done)
	working.Wait()
	require.Empty(t, l.wrong)
	require.Zero(t, s.Held)
	for m, err := range w.source.Messages(t.Context()) {
		require.NoError(t, err)
		require.True(t, l.handled[m.Sequence], "message %d was never handled", m.Sequence)
	}
}

// judge settles a message in some way.
func (l *ledger) judge(t *testing.T, c *Consumer, d Delivery, rng *rand.Rand) {
	var err error
	switch rng.Intn(8) {
	case 0:
		return // it is forgotten, and comes again
	case 1:
		err = c.Nak(t.Context(), time.Duration(rng.Intn(3))*time.Millisecond, d.Token)
	case 2:
		err = errors.Join(c.InProgress(t.Context(), d.Token), c.Ack(t.Context(), d.Token))
		l.confirmed(t, c, d, err)
	case 3:
		_, err = c.AckWith(t.Context(), output("out", ""), d.Token)
		l.confirmed(t, c, d, err)
	default:
		err = c.Ack(t.Context(), d.Token)
		l.confirmed(t, c, d, err)
	}
	for _, expected := range []error{ErrNotPending, ErrStale, ErrStopped} {
		if errors.Is(err, expected) {
			return
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// confirmed notes that a message is settled, and how many deliveries there were by then.
func (l *ledger) confirmed(t *testing.T, c *Consumer, d Delivery, err error) {
	if err != nil {
		return
	}
	if s, err := c.Stats(t.Context()); err == nil {
		l.settle(d.Sequence, s.Delivered)
	}
}
