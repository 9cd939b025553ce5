package actors_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// hangingReads opens a stream of five messages whose reads of files hang until
// goOn is closed.
func hangingReads(t *testing.T, config actors.Config) (s *actors.Store, goOn chan struct{}) {
	t.Helper()
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	config.Dir, config.FS, config.Runtime = "data", fault, actors.NewRuntime(actors.RuntimeConfig{Workers: 2})
	s = open(t, config)
	for range 5 {
		mustStore(t, s, "a", "x")
	}
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config) // nothing is in memory
	goOn = make(chan struct{})
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead {
			return blocktest.Fault{Wait: func() { <-goOn }}
		}
		return blocktest.Fault{}
	})
	return s, goOn
}

// TestLoadsForActorsAreBounded, and so are their goroutines. Those beyond the bound
// are told; others can store meanwhile.
func TestLoadsForActorsAreBounded(t *testing.T) {
	const most, n = 1024, 3000
	s, goOn := hangingReads(t, actors.Config{MaxInFlight: n})
	c := newClient(t, n)
	before := runtime.NumGoroutine()
	for i := range n {
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.LoadRequest{Sequence: 1, Tag: i}})
	}
	refused := map[any]bool{}
	for len(refused) < n-most {
		r := (<-c.replies).(*actors.LoadReply)
		require.ErrorIs(t, r.Err, actors.ErrOverloaded)
		refused[r.Tag] = true
	}
	require.LessOrEqual(t, runtime.NumGoroutine()-before, most+50)
	require.Empty(t, c.replies)
	require.Equal(t, uint64(6), mustStore(t, s, "a", "x").Sequence)
	close(goOn)
	for range most {
		r := (<-c.replies).(*actors.LoadReply)
		require.NoError(t, r.Err)
		require.False(t, refused[r.Tag], "answered once")
	}
	require.NoError(t, c.ask(t, s, &actors.LoadRequest{Sequence: 1}).(*actors.LoadReply).Err)
	require.Empty(t, c.replies)
}

// TestReadsForActorsAreBoundedByTheirBytes: by the most that a request may return.
func TestReadsForActorsAreBoundedByTheirBytes(t *testing.T) {
	s, goOn := hangingReads(t, actors.Config{MaxInFlightBytes: 20 << 20})
	c := newClient(t, 100)
	for range 50 { // two of 8 MiB, and 128 bytes for each of 1,000 messages
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.ReadRequest{MaxBytes: 1 << 40}})
	}
	for range 48 {
		require.ErrorIs(t, (<-c.replies).(*actors.ReadReply).Err, actors.ErrOverloaded)
	}
	close(goOn)
	for range 2 {
		r := (<-c.replies).(*actors.ReadReply)
		require.NoError(t, r.Err)
		require.Len(t, r.Messages, 5)
	}
	// One alone may always go.
	s, goOn = hangingReads(t, actors.Config{MaxInFlightBytes: 1})
	close(goOn)
	r := c.ask(t, s, &actors.ReadRequest{Max: 1 << 40, MaxBytes: 1 << 40}).(*actors.ReadReply)
	require.NoError(t, r.Err)
	require.Len(t, r.Messages, 5)
}

// TestReadRequestHasAnUpperBound, whatever it asks for.
func TestReadRequestHasAnUpperBound(t *testing.T) {
	const most = 1 << 16
	s := open(t, actors.Config{Sync: actors.SyncNever})
	p := s.Pipeline(1000, nil)
	for range most + 1 {
		_, err := p.Store(t.Context(), "", nil, nil)
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	c := newClient(t, 1)
	r := c.ask(t, s, &actors.ReadRequest{Max: most + 1}).(*actors.ReadReply)
	require.NoError(t, r.Err)
	require.Len(t, r.Messages, most)
	require.Equal(t, uint64(most+1), r.Next)
	for range 10 {
		mustStore(t, s, "a", string(make([]byte, 1<<20)))
	}
	r = c.ask(t, s, &actors.ReadRequest{From: most + 2, MaxBytes: 100 << 20}).(*actors.ReadReply)
	require.NoError(t, r.Err)
	require.Len(t, r.Messages, 8)
	// Subjects count, too.
	r = c.ask(t, s, &actors.ReadRequest{From: 1, MaxBytes: 1}).(*actors.ReadReply)
	require.Len(t, r.Messages, 1000)
	r = c.ask(t, s, &actors.ReadRequest{From: most + 2, MaxBytes: 1<<20 + 1}).(*actors.ReadReply)
	require.Len(t, r.Messages, 1)
}

// TestPanicInAReadIsAnswered, and hurts nobody else.
func TestPanicInAReadIsAnswered(t *testing.T) {
	files := &panicFS{FS: blocktest.NewMemFS()}
	config := actors.Config{Dir: "data", FS: files, Runtime: actors.NewRuntime(actors.RuntimeConfig{Workers: 2})}
	s := open(t, config)
	mustStore(t, s, "a", "x")
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	c := newClient(t, 100)
	files.reads.Store(true)
	for i := range 10 { // more than there are workers
		load := c.ask(t, s, &actors.LoadRequest{Sequence: 1, Tag: i}).(*actors.LoadReply)
		require.ErrorContains(t, load.Err, "panic")
		require.Equal(t, i, load.Tag)
		read := c.ask(t, s, &actors.ReadRequest{From: 1, Tag: i}).(*actors.ReadReply)
		require.ErrorContains(t, read.Err, "panic")
		require.Equal(t, uint64(1), read.Next)
	}
	files.reads.Store(false)
	require.NoError(t, c.ask(t, s, &actors.LoadRequest{Sequence: 1}).(*actors.LoadReply).Err)
	require.Len(t, c.ask(t, s, &actors.ReadRequest{}).(*actors.ReadReply).Messages, 1)
	mustStore(t, s, "a", "x")
}

// TestNilRequestsAreAnswered with an error in their type; what else is nil is no request.
func TestNilRequestsAreAnswered(t *testing.T) {
	s := open(t, actors.Config{})
	c := newClient(t, 100)
	for _, m := range []any{nil, (*actor.MessageEnvelope)(nil), (*struct{})(nil), (*actor.PID)(nil), (*int)(nil)} {
		quiet.Root.Send(s.PID(), m)
		reply := c.ask(t, s, m).(*actors.UnknownReply)
		require.ErrorIs(t, reply.Err, actors.ErrUnknownRequest)
		require.Equal(t, fmt.Sprintf("%T", m), reply.Type)
	}
	for _, row := range []struct {
		request any
		err     func(reply any) error
	}{
		{(*actors.StoreRequest)(nil), func(r any) error { return r.(*actors.StoreReply).Err }},
		{(*actors.StoreRawRequest)(nil), func(r any) error { return r.(*actors.StoreReply).Err }},
		{(*actors.StoreBatchRequest)(nil), func(r any) error { return r.(*actors.StoreBatchReply).Err }},
		{(*actors.StreamConfigRequest)(nil), func(r any) error { return r.(*actors.StreamConfigReply).Err }},
		{(*actors.LostRequest)(nil), func(r any) error { return r.(*actors.LostReply).Err }},
		{(*actors.DiskUsageRequest)(nil), func(r any) error { return r.(*actors.DiskUsageReply).Err }},
		{(*actors.SkipRequest)(nil), func(r any) error { return r.(*actors.SkipReply).Err }},
		{(*actors.LoadRequest)(nil), func(r any) error { return r.(*actors.LoadReply).Err }},
		{(*actors.ReadRequest)(nil), func(r any) error { return r.(*actors.ReadReply).Err }},
		{(*actors.FlushRequest)(nil), func(r any) error { return r.(*actors.FlushReply).Err }},
		{(*actors.WatchRequest)(nil), func(r any) error { return r.(*actors.Advanced).Err }},
		{(*actors.UnwatchRequest)(nil), func(r any) error { return r.(*actors.Advanced).Err }},
		{(*actors.StopRequest)(nil), func(r any) error { return r.(*actors.StopReply).Err }},
	} {
		quiet.Root.Send(s.PID(), row.request) // nobody to answer
		require.ErrorContains(t, row.err(c.ask(t, s, row.request)), "nil", "%T", row.request)
	}
	require.IsType(t, &actors.StateReply{}, c.ask(t, s, (*actors.StateRequest)(nil)))
	require.Zero(t, stateOf(t, s))
	require.Zero(t, s.Stats().InFlight)
	mustStore(t, s, "a", "x")
	require.Empty(t, c.replies)
}

// TestRequestsByValueAreCarriedOut as those by pointer are; what is no request is answered.
func TestRequestsByValueAreCarriedOut(t *testing.T) {
	s := open(t, actors.Config{})
	c := newClient(t, 10)
	stored := c.ask(t, s, actors.StoreRequest{Subject: "a", Payload: []byte("x"), Tag: 1}).(*actors.StoreReply)
	require.NoError(t, stored.Err)
	require.Equal(t, 1, stored.Tag)
	load := c.ask(t, s, actors.LoadRequest{Sequence: 1, Tag: 2}).(*actors.LoadReply)
	require.NoError(t, load.Err)
	require.Equal(t, "x", string(load.Message.Payload))
	require.Equal(t, uint64(1), c.ask(t, s, actors.StateRequest{}).(*actors.StateReply).State.Messages)
	for _, other := range []any{"a text", 7, struct{ Payload string }{"secret"}, &struct{ A int }{1}, []byte("secret"), actors.StoreReply{}} {
		reply := c.ask(t, s, other).(*actors.UnknownReply)
		require.ErrorIs(t, reply.Err, actors.ErrUnknownRequest)
		require.Equal(t, fmt.Sprintf("%T", other), reply.Type)
		require.NotContains(t, reply.Err.Error(), "secret")
	}
	stop := c.ask(t, s, actors.StopRequest{Tag: 3}).(*actors.StopReply)
	require.NoError(t, stop.Err)
	requireStopped(t, s)
}

// TestNilContextsChangeNothing: they panic in the caller, before the operation is under way.
func TestNilContextsChangeNothing(t *testing.T) {
	s := open(t, actors.Config{})
	var none context.Context
	require.Panics(t, func() { _, _ = s.StoreMsg(none, "a", nil, nil) })
	require.Panics(t, func() { _, _ = s.LoadMsg(none, 1) })
	require.Equal(t, uint64(1), mustStore(t, s, "a", "x").Sequence)
	require.Zero(t, s.Stats().InFlight)
}
