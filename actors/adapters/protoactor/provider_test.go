package protoactor

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/persistence"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// events are what GetEvents gives.
func events(state persistence.ProviderState, name string, from, to int) (values []string) {
	state.GetEvents(name, from, to, func(event any) { values = append(values, event.(*wrapperspb.StringValue).GetValue()) })
	return values
}

// persist stores events with indexes from one on.
func persist(state persistence.ProviderState, name string, from int, values ...string) {
	for i, value := range values {
		state.PersistEvent(name, from+i, wrapperspb.String(value))
	}
}

// TestEventsAndSnapshots is the contract of a state, call by call, also by a state that was not there before.
func TestEventsAndSnapshots(t *testing.T) {
	p, _ := openTest(t, blocktest.NewMemFS(), Config{})
	state := p.GetState()
	require.Empty(t, events(state, "a", 0, 0))
	_, _, ok := state.GetSnapshot("a")
	require.False(t, ok)
	persist(state, "a", 0, "0", "1", "2", "3", "4")
	persist(state, "b", 0, "other")
	for range 2 {
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, events(state, "a", 0, 0))
		require.Equal(t, []string{"2", "3", "4"}, events(state, "a", 2, 0))
		require.Equal(t, []string{"2", "3"}, events(state, "a", 2, 4), "the end is not among them")
		require.Equal(t, []string{"3", "4"}, events(state, "a", 3, 99))
		require.Empty(t, events(state, "a", 5, 0))
		require.Empty(t, events(state, "a", 2, 2))
		require.Equal(t, []string{"other"}, events(state, "b", 0, 0))
		state = p.GetState()
	}
	state.PersistSnapshot("a", 3, wrapperspb.String("three"))
	state.PersistSnapshot("a", 4, wrapperspb.String("four"))
	for range 2 {
		snapshot, index, ok := state.GetSnapshot("a")
		require.True(t, ok)
		require.Equal(t, 4, index)
		require.True(t, proto.Equal(wrapperspb.String("four"), snapshot.(proto.Message)))
		require.Equal(t, []string{"4"}, events(state, "a", 4, 0))
		_, _, ok = state.GetSnapshot("b")
		require.False(t, ok)
		state = p.GetState()
	}
	persist(state, "a", 5, "5")
	state.DeleteSnapshots("a", 3)
	_, _, ok = state.GetSnapshot("a")
	require.True(t, ok)
	state.DeleteSnapshots("a", 4)
	_, _, ok = state.GetSnapshot("a")
	require.False(t, ok)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, events(state, "a", 0, 0), "events stay")
}

// TestDeleteEvents deletes events behind a snapshot, all of them too, and goes on.
func TestDeleteEvents(t *testing.T) {
	fsys := blocktest.NewMemFS()
	p, store := openTest(t, fsys, Config{})
	state := p.GetState()
	persist(state, "a", 0, "0", "1", "2", "3")
	state.PersistSnapshot("a", 3, wrapperspb.String("0 to 2"))
	state.DeleteEvents("a", -1)
	state.DeleteEvents("b", 10)
	require.Equal(t, []string{"0", "1", "2", "3"}, events(state, "a", 0, 0))
	state.DeleteEvents("a", 2)
	require.Equal(t, []string{"3"}, events(state, "a", 3, 0))
	failed := failure(t, func() { events(state, "a", 0, 0) })
	require.ErrorIs(t, failed, ErrGap, "a state without what was deleted would be wrong")
	require.Equal(t, "GetEvents", failed.Op)
	require.Equal(t, "a", failed.Actor)
	persist(state, "a", 4, "4")
	state.PersistSnapshot("a", 5, wrapperspb.String("0 to 4"))
	state.DeleteEvents("a", 99)
	persist(state, "a", 5, "5") // this state knows where it is
	state.DeleteEvents("a", 5)
	state.PersistSnapshot("a", 6, wrapperspb.String("0 to 5"))
	require.NoError(t, store.Stop(t.Context()))

	p, _ = openTest(t, fsys, Config{})
	state = p.GetState()
	snapshot, index, ok := state.GetSnapshot("a")
	require.True(t, ok)
	require.Equal(t, "0 to 5", snapshot.(*wrapperspb.StringValue).GetValue())
	require.Empty(t, events(state, "a", index, 0))
	require.ErrorIs(t, failure(t, func() { persist(state, "a", 7, "7") }), ErrGap)
	persist(state, "a", 6, "6", "7")
	require.Equal(t, []string{"6", "7"}, events(p.GetState(), "a", 6, 0))
}

// TestASnapshotDeletesItsEvents has snapshots as the mixin stores them, and of other indexes.
func TestASnapshotDeletesItsEvents(t *testing.T) {
	p, store := openTest(t, blocktest.NewMemFS(), Config{DeleteEvents: true})
	state := p.GetState()
	for i := range 20 {
		persist(state, "a", i, fmt.Sprint(i))
		persist(state, "b", i, fmt.Sprint(i))
	}
	for _, row := range []struct{ index, left int }{{0, 20}, {5, 15}, {19, 1}, {20, 0}} {
		state.PersistSnapshot("a", row.index, wrapperspb.String("snapshot"))
		require.Len(t, events(p.GetState(), "a", row.index, 0), row.left)
		require.EqualValues(t, 20+row.left+1, store.Stats().Messages)
	}
	persist(state, "a", 20, "20")
	require.Equal(t, []string{"20"}, events(p.GetState(), "a", 20, 0))
}

// TestWhoIsActiveTwiceIsTold has two states of an actor store events.
func TestWhoIsActiveTwiceIsTold(t *testing.T) {
	p, _ := openTest(t, blocktest.NewMemFS(), Config{})
	first, second := p.GetState(), p.GetState()
	persist(first, "a", 0, "0", "1")
	require.Equal(t, []string{"0", "1"}, events(second, "a", 0, 0))
	persist(second, "a", 2, "of the second")
	for _, value := range []string{"of the first", "of the second"} { // also if it is the same
		failed := failure(t, func() { persist(first, "a", 2, value) })
		require.ErrorIs(t, failed, ErrConflict)
		require.Equal(t, 2, failed.Index)
	}
	require.ErrorIs(t, failure(t, func() { persist(second, "a", 4, "too far") }), ErrGap)
	require.ErrorIs(t, failure(t, func() { persist(p.GetState(), "a", 2, "again") }), ErrConflict)
	require.Equal(t, []string{"0", "1", "of the second"}, events(first, "a", 0, 0))
	persist(first, "a", 3, "3") // it has seen the other one's
	require.Equal(t, []string{"0", "1", "of the second", "3"}, events(p.GetState(), "a", 0, 0))
}

// TestEventsLikeThoseInMemory does the same at random here and with protoactor's own provider.
func TestEventsLikeThoseInMemory(t *testing.T) {
	p, _ := openTest(t, blocktest.NewMemFS(), Config{SnapshotInterval: 5})
	random, memory := rand.New(rand.NewSource(1)), persistence.NewInMemoryProvider(5)
	states, counts := map[string]persistence.ProviderState{}, map[string]int{}
	for range 2000 {
		name := fmt.Sprintf("parent/$%d", random.Intn(7))
		state := states[name]
		if state == nil || random.Intn(20) == 0 {
			state = p.GetState()
			states[name] = state
		}
		require.Equal(t, memory.GetSnapshotInterval(), state.GetSnapshotInterval())
		switch n := counts[name]; random.Intn(6) {
		case 0:
			index := random.Intn(n + 1)
			memory.PersistSnapshot(name, index, wrapperspb.String(fmt.Sprint(index)))
			state.PersistSnapshot(name, index, wrapperspb.String(fmt.Sprint(index)))
		case 1:
			want, wantIndex, wantOK := memory.GetSnapshot(name)
			got, index, ok := state.GetSnapshot(name)
			require.Equal(t, wantOK, ok)
			require.Equal(t, wantIndex, index)
			require.True(t, !ok || proto.Equal(want.(proto.Message), got.(proto.Message)))
		case 2:
			from := random.Intn(n + 1)
			to := from + random.Intn(n+1-from)
			var want []string
			memory.GetEvents(name, from, to, func(event any) { want = append(want, event.(*wrapperspb.StringValue).GetValue()) })
			require.Equal(t, want, events(state, name, from, to))
		default:
			memory.PersistEvent(name, n, wrapperspb.String(fmt.Sprint(n)))
			state.PersistEvent(name, n, wrapperspb.String(fmt.Sprint(n)))
			counts[name]++
		}
	}
}

// TestASnapshotSaysWhereItsEventsAre looks at the header by which a replay leaves out all that is before.
func TestASnapshotSaysWhereItsEventsAre(t *testing.T) {
	p, store := openTest(t, blocktest.NewMemFS(), Config{})
	state := p.GetState()
	for i := range 50 {
		persist(state, "a", i, "event")
		persist(state, "b", i, "event")
	}
	for _, row := range []struct {
		index int
		from  uint64
	}{{50, 100}, {49, 99}, {10, 0}} { // all events, all but the last as the mixin does it, and some
		state.PersistSnapshot("a", row.index, wrapperspb.String("snapshot"))
		found, err := p.lastSnapshot(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, row.from, found.from)
		require.Len(t, events(p.GetState(), "a", row.index, 0), 50-row.index)
	}
	message, err := store.LoadMsg(t.Context(), 99)
	require.NoError(t, err)
	require.Equal(t, "actors.event.a", message.Subject)
}

// TestNamesOfActors has names that could be taken for each other, or for patterns.
func TestNamesOfActors(t *testing.T) {
	for name, want := range map[string]string{
		"bank/account-7": "bank.account-7", "$1a": "$1a", "a.b": "a%2Eb", "a b": "a%20b", "*": "%2A", ">": "%3E",
		"": "%", "/": "%.%", "a//b": "a.%.b", "%": "%25", "%2E": "%252E", "ä": "%C3%A4", "\x00": "%00",
	} {
		require.Equal(t, want, tokens(name), "%q", name)
	}
	p, _ := openTest(t, blocktest.NewMemFS(), Config{Prefix: "of.us"})
	for i, name := range []string{"*", ">", "a.b", "a/b", "a", "", "/", "a/*", "%2E", "."} {
		persist(p.GetState(), name, 0, fmt.Sprint(i))
	}
	for i, name := range []string{"*", ">", "a.b", "a/b", "a", "", "/", "a/*", "%2E", "."} {
		require.Equal(t, []string{fmt.Sprint(i)}, events(p.GetState(), name, 0, 0), "%q", name)
	}
}

// TestWhatNewRefuses are streams that would lose events, and configurations that cannot be used.
func TestWhatNewRefuses(t *testing.T) {
	for _, change := range []func(*actors.Config){
		func(c *actors.Config) { c.MaxMsgs = 10 }, func(c *actors.Config) { c.MaxBytes = 1 << 20 },
		func(c *actors.Config) { c.MaxMsgsPer = 1 }, func(c *actors.Config) { c.MaxAge = time.Hour },
	} {
		config := testConfig(blocktest.NewMemFS())
		change(&config)
		store, err := actors.Open(t.Context(), testSystem, config)
		require.NoError(t, err)
		_, err = New(store, Config{})
		require.ErrorIs(t, err, ErrConfig)
		require.NoError(t, store.Stop(t.Context()))
	}
	p, store := openTest(t, blocktest.NewMemFS(), Config{})
	require.Equal(t, math.MaxInt, p.GetState().GetSnapshotInterval())
	_, err := New(store, Config{SnapshotInterval: -1})
	require.ErrorIs(t, err, ErrConfig)
	for _, prefix := range []string{"a.*", ">", "a b", "a..b", ".a", "a."} {
		_, err = New(store, Config{Prefix: prefix})
		require.ErrorIs(t, err, ErrConfig, "%q", prefix)
	}
}

// TestTypesThatAreNotKnown stores and replays what has no codec.
func TestTypesThatAreNotKnown(t *testing.T) {
	p, store := openTest(t, blocktest.NewMemFS(), Config{})
	state := p.GetState()
	for _, message := range []proto.Message{nil, (*wrapperspb.StringValue)(nil), wrapperspb.String("\xff")} {
		require.ErrorIs(t, failure(t, func() { state.PersistEvent("a", 0, message) }), ErrCodec)
		require.ErrorIs(t, failure(t, func() { state.PersistSnapshot("a", 0, message) }), ErrCodec)
	}
	for _, header := range []actors.Header{
		{typeHeader: {"of.another.Program"}, indexHeader: {"0"}},
		{typeHeader: {"google.protobuf.StringValue"}, indexHeader: {"0"}}, // and what is not one
		{typeHeader: {"google.protobuf.StringValue"}, indexHeader: {"-1"}},
		{typeHeader: {"google.protobuf.StringValue"}},
	} {
		_, err := store.StoreMsg(t.Context(), "actors.event.b", header, []byte{0xff})
		require.NoError(t, err)
		require.ErrorIs(t, failure(t, func() { events(state, "b", 0, 0) }), ErrCodec)
		_, err = store.Purge(t.Context())
		require.NoError(t, err)
	}
}
