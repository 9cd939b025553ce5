package protoactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAFaultThatPassesIsNotSeen fails one operation of the disk, each in turn, below events, a snapshot and a deletion:
// no actor sees it, and no event is stored twice.
func TestAFaultThatPassesIsNotSeen(t *testing.T) {
	for at := range int64(30) {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
			config := testConfig(faulty)
			config.RetryMin, config.RetryMax = time.Millisecond, time.Millisecond
			store, err := actors.Open(t.Context(), testSystem, config)
			require.NoError(t, err)
			defer func() { require.NoError(t, store.Stop(t.Context())) }()
			p, err := New(store, Config{Patience: time.Minute})
			require.NoError(t, err)
			state := p.GetState()
			persist(state, "a", 0, "0")
			var seen atomic.Int64
			faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
				if op.Kind != blocktest.OpRead && op.Kind != blocktest.OpOpen && op.Kind != blocktest.OpStat && seen.Add(1) == at+1 {
					return blocktest.Fault{Err: blocktest.ErrIO}
				}
				return blocktest.Fault{}
			})
			for i := 1; i < 20; i++ {
				persist(state, "a", i, fmt.Sprint(i))
			}
			state.PersistSnapshot("a", 15, wrapperspb.String("snapshot"))
			state.DeleteEvents("a", 9)
			require.Len(t, events(p.GetState(), "a", 10, 0), 10)
			_, index, _ := state.GetSnapshot("a")
			require.Equal(t, 15, index)
			state.DeleteSnapshots("a", 15)
			_, _, ok := state.GetSnapshot("a")
			require.False(t, ok)
			require.EqualValues(t, 10, store.Stats().Messages)
		})
	}
}

// TestAnEventThatDidHappenIsNotStoredAgain has an event stored of which nobody was told: the next attempt finds it, and
// one by somebody else is none of it.
func TestAnEventThatDidHappenIsNotStoredAgain(t *testing.T) {
	p, store := openTest(t, blocktest.NewMemFS(), Config{})
	s := p.GetState().(*state)
	persist(s, "a", 0, "0")
	kind, payload, err := Proto.Encode(wrapperspb.String("1"))
	require.NoError(t, err)
	before, _ := s.known("a")
	require.NoError(t, s.store(t.Context(), "a", stored{1, kind, payload}, false))
	s.know("a", before) // as if the answer had been lost
	require.ErrorIs(t, s.store(t.Context(), "a", stored{1, kind, payload}, false), ErrConflict)
	require.ErrorIs(t, s.store(t.Context(), "a", stored{1, kind, []byte("another")}, true), ErrConflict)
	require.NoError(t, s.store(t.Context(), "a", stored{1, kind, payload}, true))
	require.EqualValues(t, 2, store.Stats().Messages)
	persist(s, "a", 2, "2")
	require.Equal(t, []string{"0", "1", "2"}, events(p.GetState(), "a", 0, 0))
}

// TestAnActorThatStartsWaitsForTheRecovery: what is stored is not known before.
func TestAnActorThatStartsWaitsForTheRecovery(t *testing.T) {
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	config := testConfig(faulty)
	config.NoRecovery = true
	store, err := actors.Open(t.Context(), testSystem, config)
	require.NoError(t, err)
	defer func() { _ = store.Stop(t.Context()) }()
	p, err := New(store, Config{})
	require.NoError(t, err)
	faulty.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, blocktest.OpSync))
	failed := failure(t, func() { persist(p.GetState(), "a", 0, "0") })
	require.ErrorIs(t, failed, actors.ErrFailed)
	require.ErrorIs(t, failed, blocktest.ErrIO)
	failed = failure(t, func() { p.GetState().Restart() })
	require.ErrorIs(t, failed, actors.ErrFailed)
	require.Equal(t, "Restart", failed.Op)
}

// damaged stores events of two actors, one with a snapshot, damages a record, and opens the stream again. Blocks that are
// full have an index, which knows whose the record was, if indexed; otherwise nobody does.
func damaged(t *testing.T, what string, indexed bool, config Config) *Provider {
	t.Helper()
	fsys := blocktest.NewMemFS()
	stream := testConfig(fsys)
	if indexed {
		stream.IndexFrom = 1
	}
	store, err := actors.Open(t.Context(), testSystem, stream)
	require.NoError(t, err)
	p, err := New(store, config)
	require.NoError(t, err)
	state := p.GetState()
	persist(state, "once", 0, "event 0 of once")
	for i := range 40 {
		persist(state, "a", i, fmt.Sprintf("event %d of a", i))
		persist(state, "b", i, fmt.Sprintf("event %d of b", i))
	}
	for i := range 7 {
		persist(state, "c", i, fmt.Sprintf("event %d of c", i))
	}
	state.PersistSnapshot("a", 40, wrapperspb.String("snapshot of a"))
	state.DeleteEvents("a", 9)
	state.PersistSnapshot("c", 7, wrapperspb.String("snapshot of c"))
	state.DeleteEvents("c", 6)
	for i := range 100 {
		persist(state, "filler", i, fmt.Sprintf("event %d of filler", i))
	}
	for stats := store.Stats(); indexed && (stats.Unindexed > 0 || stats.Indexed < stats.Blocks-1); stats = store.Stats() {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("no indexes are written")
		}
	}
	require.NoError(t, store.Stop(t.Context()))
	spoil(t, fsys, what)
	store, err = actors.Open(t.Context(), testSystem, stream)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	p, err = New(store, config)
	require.NoError(t, err)
	return p
}

// start does what the mixin does when an actor starts, and returns with how many events from where on it did, and why it
// did not.
func start(t *testing.T, p *Provider, name string) (from, count int, err error) {
	t.Helper()
	failed := failure(t, func() {
		state := p.GetState()
		_, index, ok := state.GetSnapshot(name)
		if ok {
			from = index
		}
		state.GetEvents(name, from, 0, func(any) { count++ })
	})
	if failed != nil {
		return from, count, failed
	}
	return from, count, nil
}

// TestDamage damages one record of each kind, and starts all actors: the one that it was of gets an error, and never less
// than it should have. Others are not concerned, unless the record could have been their last one and nobody knows.
func TestDamage(t *testing.T) {
	sound := map[string][2]int{"once": {0, 1}, "a": {40, 0}, "b": {0, 40}, "c": {7, 0}, "filler": {0, 100}, "new": {0, 0}}
	for _, row := range []struct {
		what    string
		of      string
		also    []string // who is not started while nobody knows whose the record was
		unknown error    // what the actor gets with AcceptLoss; nil: it starts, with less
	}{
		{"event 0 of once", "once", []string{"new"}, nil},
		{"event 0 of b", "b", []string{"new", "once"}, ErrGap},
		{"event 20 of b", "b", []string{"new", "once"}, ErrGap},
		{"event 39 of b", "b", []string{"new", "once", "a"}, nil},
		{"event 20 of a", "", []string{"new", "once"}, nil}, // the snapshot has it
		{"snapshot of a", "a", []string{"new", "once", "b", "c"}, ErrGap},
		{"snapshot of c", "c", []string{"new", "once", "a", "b"}, nil},
	} {
		for _, indexed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, indexed %v", row.what, indexed), func(t *testing.T) {
				for _, accept := range []bool{false, true} {
					p := damaged(t, row.what, indexed, Config{AcceptLoss: accept})
					for name, want := range sound {
						from, count, err := start(t, p, name)
						switch {
						case name == row.of && accept:
							require.ErrorIs(t, err, row.unknown)
							require.False(t, err == nil && [2]int{from, count} == want, "it has what is lost")
						case name == row.of && errors.Is(err, ErrGap):
						case name == row.of:
							require.ErrorIs(t, err, actors.ErrCorrupt, name)
						case err != nil && !accept && !indexed:
							require.ErrorIs(t, err, actors.ErrCorrupt)
							require.Contains(t, row.also, name)
						default:
							require.NoError(t, err, name)
							require.Equal(t, want, [2]int{from, count}, name)
						}
					}
				}
			})
		}
	}
}

// spoil flips a bit of some text in the blocks of the stream.
func spoil(t *testing.T, fsys *blocktest.MemFS, text string) {
	t.Helper()
	dir, found := "/streams/ACTORS/msgs", false
	files, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range files {
		if path.Ext(file.Name) == ".blk" {
			require.NoError(t, fsys.Rot(path.Join(dir, file.Name), func(content []byte) []byte {
				if at := bytes.Index(content, []byte(text)); at >= 0 {
					content[at], found = content[at]^1, true
				}
				return content
			}))
		}
	}
	require.True(t, found)
}
