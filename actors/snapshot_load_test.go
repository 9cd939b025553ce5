package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// aLoad changes a stream at random, one operation after the other, and knows what it was after each of them.
type aLoad struct {
	t    *testing.T
	s    *actors.Store
	rng  *rand.Rand
	all  map[uint64]string // payloads
	mu   sync.Mutex
	past []moment
}

// moment is the stream after an operation.
type moment struct {
	live map[uint64]bool
	last uint64
}

func (l *aLoad) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.past) - 1
}

// allowance is how often something may be done. What writes without one beside what takes longer the more was written
// has no end on a loaded machine.
type allowance chan struct{}

// give allows it some more times, up to the capacity in all.
func (a allowance) give(times int) {
	for range times {
		select {
		case a <- struct{}{}:
		default:
			return
		}
	}
}

// run changes the stream as often as is allowed, until that is closed.
func (l *aLoad) run(allowed allowance) {
	for range allowed {
		before := l.past[len(l.past)-1]
		next := moment{maps.Clone(before.live), before.last}
		l.change(&next)
		l.mu.Lock()
		l.past = append(l.past, next)
		l.mu.Unlock()
	}
}

func (l *aLoad) change(m *moment) {
	ctx := context.Background()
	stored := func(sequence uint64, payload string) {
		l.mu.Lock()
		l.all[sequence] = payload
		l.mu.Unlock()
		m.live[sequence], m.last = true, sequence
	}
	payload := func() string { return fmt.Sprintf("%0*d", l.rng.Intn(300), l.rng.Int63()) }
	var err error
	switch n := l.rng.Intn(100); {
	case n < 55:
		text, ack := payload(), actors.Ack{}
		ack, err = l.s.StoreMsg(ctx, fmt.Sprintf("s.%d", l.rng.Intn(9)), nil, []byte(text))
		stored(ack.Sequence, text)
	case n < 65:
		var batch []actors.BatchMessage
		for range 1 + l.rng.Intn(20) {
			batch = append(batch, actors.BatchMessage{Subject: "b", Payload: []byte(payload())})
		}
		var acks actors.BatchAck
		acks, err = l.s.StoreBatch(ctx, batch)
		for i, b := range batch {
			stored(acks.First+uint64(i), string(b.Payload))
		}
	case n < 93:
		for sequence := range m.live { // any one
			_, err = l.s.RemoveMsg(ctx, sequence)
			delete(m.live, sequence)
			break
		}
	case n < 96:
		m.last, err = l.s.Skip(ctx, 0, uint64(1+l.rng.Intn(5)))
		m.last = stateOf(l.t, l.s).LastSequence
	case n < 98 && m.last > 50:
		below := m.last - 50
		_, err = l.s.Compact(ctx, below)
		maps.DeleteFunc(m.live, func(sequence uint64, _ bool) bool { return sequence < below })
	case n == 99:
		_, err = l.s.Purge(ctx)
		clear(m.live)
	}
	if err != nil {
		l.t.Error(err)
	}
}

// between reports whether a stream is what was there between two moments that follow each other.
func (m *moment) between(next *moment, live map[uint64]bool, last uint64) bool {
	within := func(inner, outer map[uint64]bool) bool {
		for sequence := range inner {
			if !outer[sequence] {
				return false
			}
		}
		return true
	}
	if next == nil || last != m.last || next.last != m.last {
		return last == m.last && maps.Equal(live, m.live)
	}
	return within(live, m.live) && within(next.live, live) // a purge may be under way
}

// TestSnapshotUnderLoadIsOfOneInstant: each snapshot of a stream that changes all the time equals the stream as it
// was at one time during the call.
func TestSnapshotUnderLoadIsOfOneInstant(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{BlockSize: 4096, Sync: level, CompactBelow: 60})
		l := &aLoad{t: t, s: s, rng: rand.New(rand.NewSource(int64(level) + 1)), all: make(map[uint64]string), past: []moment{{live: map[uint64]bool{}}}}
		allowed := make(allowance, 300)
		var done sync.WaitGroup
		done.Go(func() { l.run(allowed) })
		type taken struct {
			from, to int
			info     actors.SnapshotInfo
			bytes    []byte
		}
		var list []taken
		for len(list) < 12 {
			allowed.give(cap(allowed))
			for len(list)*30 > l.now() && !t.Failed() {
				require.NoError(t, s.Flush(t.Context()))
			}
			var b bytes.Buffer
			from := l.now()
			info, err := s.Snapshot(t.Context(), &b, actors.SnapshotOptions{})
			require.NoError(t, err)
			list = append(list, taken{from, l.now() + 1, info, b.Bytes()})
		}
		close(allowed)
		done.Wait()
		for _, x := range list {
			r := restored(t, x.bytes, actors.Config{})
			live := make(map[uint64]bool)
			for m, err := range r.Messages(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, l.all[m.Sequence], string(m.Payload))
				live[m.Sequence] = true
			}
			state := stateOf(t, r)
			require.Equal(t, x.info.LastSequence, state.LastSequence)
			require.Equal(t, x.info.Messages, state.Messages)
			require.Equal(t, x.info.Bytes, state.Bytes)
			require.Equal(t, x.info.FirstSequence, state.FirstSequence)
			found := false
			for i := x.from; i <= min(x.to, len(l.past)-1) && !found; i++ {
				var next *moment
				if i+1 < len(l.past) {
					next = &l.past[i+1]
				}
				found = l.past[i].between(next, live, state.LastSequence)
			}
			require.True(t, found, "of no instant between %d and %d: %v, last %d", x.from, x.to, live, state.LastSequence)
		}
	})
}

// TestSnapshotsBesideManyWriters hold all that was acknowledged before them, and no gap.
func TestSnapshotsBesideManyWriters(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{BlockSize: 16 << 10, Sync: level})
		allowed := make(allowance, 2000)
		var writers, takers sync.WaitGroup
		for range 4 {
			writers.Go(func() {
				i := 0
				for range allowed {
					mustStore(t, s, subjectOf(i), string(payloadOf(i)))
					i++
				}
			})
		}
		for range 3 {
			takers.Go(func() {
				for range 4 {
					allowed.give(cap(allowed))
					before := stateOf(t, s).LastSequence
					var b bytes.Buffer
					info, err := s.Snapshot(context.Background(), &b, actors.SnapshotOptions{})
					if err != nil || info.LastSequence < before || info.Messages != info.LastSequence {
						t.Errorf("%+v, %v, before: %d", info, err, before)
					}
					after, err := actors.Restore(context.Background(), t.TempDir(), &b, actors.RestoreOptions{})
					if err != nil || after.Messages != info.Messages {
						t.Errorf("%+v, %v", after, err)
					}
				}
			})
		}
		takers.Wait()
		close(allowed)
		writers.Wait()
		_, err := s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{})
		require.NoError(t, err)
	})
}
