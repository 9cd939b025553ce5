package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// kindOf names what a store actor or a child is given.
func kindOf(message any) string {
	if t, ok := message.(*task); ok {
		return fmt.Sprintf("%T of %T", t, t.job)
	}
	return fmt.Sprintf("%T", message)
}

// bugs panics at the n-th message of a kind, once, and counts all.
type bugs struct {
	mu   sync.Mutex
	seen map[string]int
	kind string // "" for no panic
	at   int
	hit  bool
}

func (b *bugs) plant(message any) {
	kind := kindOf(message)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[kind]++
	if kind == b.kind && b.seen[kind] == b.at {
		b.hit = true
		panic("a bug that was planted")
	}
}

// busyLife is what a store goes through while it may crash: something of everything that the store actor and its
// children know.
type busyLife struct {
	t     *testing.T
	files *blocktest.FaultFS
	store *Store
	kept  map[uint64]string // payloads of messages that nobody removes, by sequence
	n     int
}

// settle waits until the store is usable after an error that has to be one of a crash. It reports whether there was
// none.
func (l *busyLife) settle(err error) bool {
	l.t.Helper()
	if err == nil {
		return true
	}
	require.ErrorIs(l.t, err, ErrFailed)
	require.NotErrorIs(l.t, err, ErrStopped)
	require.NoError(l.t, l.store.Ready(l.t.Context()))
	return false
}

// must repeats what has to be done until it is.
func (l *busyLife) must(do func() error) {
	l.t.Helper()
	for !l.settle(do()) {
	}
}

func (l *busyLife) keep(messages int) {
	for range messages {
		l.n++
		payload := fmt.Sprintf("%d%s", l.n, strings.Repeat(".", 300))
		l.must(func() error {
			ack, err := l.store.StoreMsg(l.t.Context(), fmt.Sprint("keep.", l.n%7), nil, []byte(payload))
			if err == nil {
				l.kept[ack.Sequence] = payload
			}
			return err
		})
	}
}

func (l *busyLife) gone(messages int) {
	for range messages {
		l.must(func() error {
			_, err := l.store.StoreMsg(l.t.Context(), "gone", nil, make([]byte, 300))
			return err
		})
	}
}

// run goes through everything.
func (l *busyLife) run() {
	ctx := l.t.Context()
	s := l.store
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	for range 2 { // a watch may be lost in a crash
		_, err := s.Watch(watching)
		l.settle(err)
		_, err = s.Notices(watching, func([]Notice) {})
		l.settle(err)
	}
	for range 30 {
		l.keep(1)
		l.gone(3)
	}
	l.must(func() error { _, err := s.PurgeEx(ctx, Literal("gone"), 0, 0); return err })
	synctest.Wait() // blocks are compacted, and indexes written
	l.keep(20)
	l.must(func() error { return s.UpdateConfig(ctx, Config{Name: s.config.Name, MaxMsgs: 100_000}) })
	l.must(func() error { _, err := s.Snapshot(ctx, io.Discard, SnapshotOptions{}); return err })
	header := Header{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"fired"}}
	l.must(func() error { _, err := s.StoreMsg(ctx, "schedule", header, nil); return err })
	<-time.After(3 * time.Second)
	l.must(func() error { _, err := s.PurgeEx(ctx, Literal("schedule"), 0, 0); return err })
	l.gone(1)
	l.must(func() error {
		state := s.published.State()
		if _, ok := l.kept[state.LastSequence]; ok {
			return nil // it was carried out
		}
		_, err := s.Truncate(ctx, state.LastSequence-1)
		return err
	})
	l.keep(3)
	s.mailbox.PostUserMessage(&reindexRequest{1})
	s.mailbox.PostUserMessage(&renewRequest{})
	s.lose(lossNowhere)
	synctest.Wait()
	for _, pid := range childrenOf(s) {
		l.must(func() error { return s.Ready(ctx) })
		<-time.After(crashPause) // so that it is not one too many in a row
		s.system.Root.Stop(pid)
		synctest.Wait()
	}
	l.must(func() error { return s.Ready(ctx) })
	l.files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	_, err := s.StoreMsg(ctx, "gone", nil, nil)
	if err == nil {
		err = s.Flush(ctx)
	}
	require.ErrorIs(l.t, err, ErrFailed)
	l.files.SetHook(nil)
	require.NoError(l.t, s.Ready(ctx))
	l.keep(3)
}

// check looks whether all is there that was acknowledged.
func (l *busyLife) check(s *Store) {
	l.t.Helper()
	for sequence, payload := range l.kept {
		m, err := s.LoadMsg(l.t.Context(), sequence)
		require.NoError(l.t, err)
		require.Equal(l.t, payload, string(m.Payload))
	}
	require.Zero(l.t, s.published.State().LostMessages)
}

// lossNowhere is of a block that there never was.
var lossNowhere = engine.Loss{LostRange: engine.LostRange{Block: 1 << 30}}

// childrenOf returns the children of a store actor that are there.
func childrenOf(s *Store) (children []*actor.PID) {
	for _, bucket := range s.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		for _, id := range bucket.Keys() {
			if strings.HasPrefix(id, s.pid.Id+"/") {
				children = append(children, actor.NewPID(s.pid.Address, id))
			}
		}
	}
	slices.SortFunc(children, func(a, b *actor.PID) int { return strings.Compare(a.Id, b.Id) })
	return children
}

// live runs a life with a bug in a bubble, and returns what was seen.
func live(t *testing.T, kind string, at int, level SyncLevel) map[string]int {
	found := &bugs{seen: make(map[string]int), kind: kind, at: at}
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		shared := NewRuntime(RuntimeConfig{})
		shared.plant = found.plant
		config := Config{
			Dir: "data", Name: "ORDERS", FS: files, Runtime: shared, BlockSize: 4096, IndexFrom: 1,
			AllowMsgSchedules: On, RetryMin: time.Millisecond, Compression: On, Sync: level,
		}
		s, err := Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		l := &busyLife{t: t, files: files, store: s, kept: make(map[uint64]string)}
		l.run()
		l.check(s)
		if at == 1 { // how many of a kind there are is not the same each time
			require.True(t, found.hit)
		}
		if err := s.Stop(t.Context()); err != nil { // it has crashed while it stopped
			require.ErrorIs(t, err, ErrFailed)
		}
		ops, bytes := s.credits.InFlight()
		require.Zero(t, ops, "each gives its credit back once")
		require.Zero(t, bytes)
		shared.plant = nil
		s, err = Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		l.check(s)
		require.NoError(t, s.Stop(t.Context()))
	})
	return found.seen
}

// TestAPanicAtAnyMessageIsAFailureLikeAnyOther: of each kind of message that the store actor gets, and of each kind of
// job that a child gets, the first, and another in the middle. All who wait are told, the store comes back by itself,
// and what was acknowledged is there.
func TestAPanicAtAnyMessageIsAFailureLikeAnyOther(t *testing.T) {
	seen := live(t, "", 0, SyncAlways)
	for _, kind := range []string{
		"*actors.commitWork", "*actors.maintenanceWork", "*actors.recoveryWork", "*actors.fetchWork", "*actors.metaWork",
		"*actors.truncationWork", "*actors.indexWork", "*actors.compactWork", "*actors.renewWork",
		"*mailbox.Batch", "*mailbox.TurnEnd", "*actors.tick", "*actors.retry", "*actors.childEnded", "*actors.readyOp",
		"*actors.watchOp", "*actors.noticesOp", "*actors.freezeRequest", "*actors.lossReport", "*actors.reindexRequest",
		"*actors.renewRequest", "*actor.Started", "*actor.Terminated",
	} {
		require.Contains(t, seen, kind)
		if strings.HasSuffix(kind, "Work") {
			require.Contains(t, seen, "*actors.task of "+kind)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(seen)) {
		t.Run(kind, func(t *testing.T) { live(t, kind, 1, SyncAlways) })
		if middle := (seen[kind] + 1) / 2; middle > 1 && !testing.Short() {
			t.Run(kind+" again", func(t *testing.T) { live(t, kind, middle, SyncInterval) })
		}
	}
}

// TestCrashesInARowEnd: at the fifth the store gives up, refuses everything with ErrCrashLoop, and is read all the
// same. Crashes that are far apart do not count.
func TestCrashesInARowEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewRuntime(RuntimeConfig{})
		bad := false
		shared.plant = func(message any) {
			if _, ok := message.(*commitWork); ok && bad {
				panic("a bug that was planted")
			}
		}
		files := blocktest.NewMemFS()
		config := Config{Dir: "data", Name: "ORDERS", FS: files, Runtime: shared}
		s, err := Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		crash := func() error {
			_, err := s.StoreMsg(t.Context(), "a", nil, []byte("before"))
			require.NoError(t, err)
			bad = true
			_, err = s.StoreMsg(t.Context(), "a", nil, []byte("crash"))
			bad = false
			require.ErrorIs(t, err, ErrOutcomeUnknown)
			require.ErrorIs(t, err, ErrFailed)
			return err
		}
		for range 2 * mostCrashes {
			require.NotErrorIs(t, crash(), ErrCrashLoop)
			require.NoError(t, s.Ready(t.Context()))
			<-time.After(crashPause)
		}
		for range mostCrashes - 1 {
			require.NotErrorIs(t, crash(), ErrCrashLoop)
			require.NoError(t, s.Ready(t.Context()))
			<-time.After(crashPause - time.Second)
		}
		require.ErrorIs(t, crash(), ErrCrashLoop)
		_, err = s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, ErrCrashLoop)
		require.ErrorIs(t, err, ErrFailed)
		require.False(t, errors.Is(err, ErrOutcomeUnknown))
		require.ErrorIs(t, s.Ready(t.Context()), ErrCrashLoop)
		<-time.After(time.Hour)
		require.ErrorIs(t, s.Ready(t.Context()), ErrCrashLoop, "it stays so")
		m, err := s.LoadMsg(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, "before", string(m.Payload))
		stats := s.Stats()
		require.True(t, stats.Failed)
		require.True(t, stats.GaveUp)
		require.EqualValues(t, 3*mostCrashes, stats.Crashes)
		require.ErrorIs(t, s.Stop(t.Context()), ErrCrashLoop)
		s, err = Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		require.False(t, s.Stats().GaveUp)
		_, err = s.StoreMsg(t.Context(), "a", nil, nil)
		require.NoError(t, err)
		require.NoError(t, s.Stop(t.Context()))
	})
}
