package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// besideOwner is a store that changes all the time, and what it had at any time.
type besideOwner struct {
	t     *testing.T
	store *actors.Store

	mu      sync.Mutex
	stored  uint64          // up to here stores were answered
	next    uint64          // up to here they were begun
	gone    map[uint64]bool // removals that were answered
	going   map[uint64]bool // and those that were begun
	floor   uint64          // below it all is gone
	falling uint64
}

func besidePayload(sequence uint64) string {
	return fmt.Sprint(sequence, strings.Repeat("x", int(sequence%97)))
}

func besideSubject(sequence uint64) string { return fmt.Sprint("orders.", sequence%7) }

// step stores some messages, or removes some in one of all ways.
func (o *besideOwner) step(random *rand.Rand) {
	ctx := context.Background()
	require.NoError(o.t, ctx.Err())
	switch kind := random.IntN(10); {
	case kind < 6:
		var batch []actors.BatchMessage
		o.mu.Lock()
		for range 1 + random.IntN(30) {
			o.next++
			batch = append(batch, actors.BatchMessage{Subject: besideSubject(o.next), Payload: []byte(besidePayload(o.next))})
		}
		o.mu.Unlock()
		ack, err := o.store.StoreBatch(ctx, batch)
		require.NoError(o.t, err)
		o.mu.Lock()
		o.stored = ack.Last
		o.mu.Unlock()
	case kind < 9:
		first := o.floor + 1
		if o.stored <= first {
			return
		}
		sequence := first + random.Uint64N(o.stored-first)
		o.mu.Lock()
		o.going[sequence] = true
		o.mu.Unlock()
		remove := o.store.RemoveMsg
		if kind == 8 {
			remove = o.store.EraseMsg
		}
		if _, err := remove(ctx, sequence); !errors.Is(err, actors.ErrNotFound) {
			require.NoError(o.t, err)
		}
		o.mu.Lock()
		o.gone[sequence] = true
		o.mu.Unlock()
	case o.stored > o.floor+400:
		o.mu.Lock()
		o.falling = o.floor + 200
		o.mu.Unlock()
		_, err := o.store.Compact(ctx, o.falling)
		require.NoError(o.t, err)
		o.mu.Lock()
		o.floor = o.falling
		o.mu.Unlock()
	}
}

type besideTime struct {
	stored, next, floor, falling uint64
	gone, going                  map[uint64]bool
}

func (o *besideOwner) now() besideTime {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := besideTime{o.stored, o.next, o.floor, o.falling, make(map[uint64]bool), make(map[uint64]bool)}
	for sequence := range o.gone {
		now.gone[sequence] = true
	}
	for sequence := range o.going {
		now.going[sequence] = true
	}
	return now
}

// TestReadersBesideAnOwner: a reader sees the stream as it was at one instant of its Open, whatever the owner does, and
// what it cannot see any more is ErrChanged, never something else.
func TestReadersBesideAnOwner(t *testing.T) {
	config := actors.Config{
		Dir: t.TempDir(), BlockSize: 4 << 10, Sync: actors.SyncInterval, CompactBelow: 80, IndexFrom: 1, Compression: actors.On,
	}
	config.Name = "ORDERS"
	o := &besideOwner{t: t, store: open(t, config), gone: make(map[uint64]bool), going: make(map[uint64]bool)}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		o.step(random)
	}
	allowed := make(allowance, 300)
	var owner sync.WaitGroup
	owner.Go(func() {
		for range allowed {
			o.step(random)
		}
	})
	config.ReadOnly = true
	opened, complete := 0, 0
	for range 60 {
		allowed.give(cap(allowed))
		before := o.now()
		s, err := actors.Open(t.Context(), quiet, config)
		after := o.now()
		if errors.Is(err, actors.ErrChanged) {
			continue
		}
		require.NoError(t, err)
		opened++
		if readBeside(t, s, before, after) {
			complete++
		}
		require.NoError(t, s.Stop(t.Context()))
	}
	close(allowed)
	owner.Wait()
	t.Logf("%d opened, %d read to the end; the owner stored %d", opened, complete, o.stored)
	require.Greater(t, opened, 30)
	require.Greater(t, complete, 10)
}

// readBeside reads all that a reader shows, which was opened between two times. It reports whether that could be read.
func readBeside(t *testing.T, s *actors.Store, before, after besideTime) bool {
	t.Helper()
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, before.stored, state.LastSequence)
	require.GreaterOrEqual(t, after.next, state.LastSequence)
	require.Zero(t, state.LostMessages)
	require.GreaterOrEqual(t, state.FirstSequence, before.floor)
	next := max(before.floor, after.falling) // below it anything may be missing
	for m, err := range s.Messages(t.Context()) {
		if errors.Is(err, actors.ErrChanged) {
			return false
		}
		require.NoError(t, err)
		require.False(t, before.gone[m.Sequence], "message %d was removed before", m.Sequence)
		require.GreaterOrEqual(t, m.Sequence, before.floor)
		require.Equal(t, besideSubject(m.Sequence), m.Subject)
		require.Equal(t, besidePayload(m.Sequence), string(m.Payload))
		for ; next < m.Sequence; next++ {
			require.True(t, next == 0 || after.going[next] || next > before.stored, "message %d is missing", next)
		}
		next = max(next, m.Sequence+1)
	}
	for ; next <= before.stored; next++ {
		require.True(t, after.going[next], "message %d is missing", next)
	}
	return true
}

// TestReadersRefuseToWrite in whatever way, and go on reading.
func TestReadersRefuseToWrite(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	s := open(t, config)
	for range 3 {
		_, err := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
		require.NoError(t, err)
	}
	before := untouched(t, config.Dir)
	config.ReadOnly = true
	r := open(t, config)
	for name, write := range map[string]func() error{
		"StoreMsg": func() error { _, err := r.StoreMsg(t.Context(), "a", nil, nil); return err },
		"StoreRaw": func() error {
			_, err := r.StoreRaw(t.Context(), actors.RawMessage{Sequence: 4, Subject: "a"})
			return err
		},
		"StoreBatch": func() error { _, err := r.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}}); return err },
		"Skip":       func() error { _, err := r.Skip(t.Context(), 0, 1); return err },
		"SkipAt":     func() error { _, err := r.SkipAt(t.Context(), 0, 1, time.Now()); return err },
		"RemoveMsg":  func() error { _, err := r.RemoveMsg(t.Context(), 1); return err },
		"EraseMsg":   func() error { _, err := r.EraseMsg(t.Context(), 1); return err },
		"Purge":      func() error { _, err := r.Purge(t.Context()); return err },
		"PurgeEx":    func() error { _, err := r.PurgeEx(t.Context(), actors.Filters{}, 0, 1); return err },
		"Compact":    func() error { _, err := r.Compact(t.Context(), 2); return err },
		"Truncate":   func() error { _, err := r.Truncate(t.Context(), 1); return err },
		"SyncDeleted": func() error {
			_, err := r.SyncDeleted(t.Context(), []actors.SequenceRange{{First: 1, Last: 1}})
			return err
		},
		"UpdateConfig": func() error { return r.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 1}) },
	} {
		require.ErrorIs(t, write(), actors.ErrReadOnly, name)
	}
	require.NoError(t, r.Flush(t.Context()))
	results := make(chan actors.PipelineResult, 1)
	p := r.Pipeline(1, func(result actors.PipelineResult) { results <- result })
	_, err := p.Store(t.Context(), "a", nil, nil)
	require.NoError(t, err)
	require.ErrorIs(t, within(t, results).Err, actors.ErrReadOnly)
	client := newClient(t, 1)
	quiet.Root.RequestWithCustomSender(r.PID(), &actors.PurgeRequest{}, client.pid)
	require.ErrorIs(t, within(t, client.replies).(*actors.PurgeReply).Err, actors.ErrReadOnly)
	state, err := r.FastState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, state.Messages)
	_, err = r.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Stop(t.Context()))
	require.Equal(t, before, untouched(t, config.Dir))
}

// TestNoStreamIsNotMadeByAReader.
func TestNoStreamIsNotMadeByAReader(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "EMPTY"), 0o700))
	for _, name := range []string{"ORDERS", "EMPTY"} {
		_, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: name, ReadOnly: true})
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	require.Len(t, untouched(t, dir), 2)
}

// TestReadersLookAtNoClock: what is too old, or past its TTL, is shown as long as it is in the files.
func TestReadersLookAtNoClock(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := actors.Config{Dir: "data", Name: "ORDERS", FS: mem, MaxAge: time.Hour, AllowMsgTTL: actors.On, AllowMsgSchedules: actors.On}
	s := open(t, config)
	_, err := s.StoreMsg(t.Context(), "a", nil, nil, actors.TTL(time.Second))
	require.NoError(t, err)
	_, err = s.StoreMsg(t.Context(), "s", actors.Header{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"t"}}, nil)
	require.NoError(t, err)
	require.NoError(t, s.Flush(t.Context()))
	config.ReadOnly = true
	config.Runtime = actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return time.Now().Add(1000 * time.Hour) }})
	r := open(t, config)
	state, err := r.FastState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, state.Messages)
	require.Equal(t, time.Hour, r.Limits().MaxAge)
}
