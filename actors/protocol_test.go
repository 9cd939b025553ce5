package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// client is an actor that sends what a test gives it, and passes replies on.
type client struct {
	pid     *actor.PID
	replies chan any
}

// send asks the client's actor to make a request.
type send struct {
	to      *actor.PID
	message any
}

func newClient(t *testing.T, replies int) *client {
	t.Helper()
	c := &client{replies: make(chan any, replies)}
	c.pid = quiet.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started, *actor.Stopping, *actor.Stopped:
		case *send:
			ctx.Request(m.to, m.message)
		default:
			c.replies <- m
		}
	}))
	t.Cleanup(func() { stopActor(t, c.pid) })
	return c
}

// stopActor stops an actor and waits until it has.
func stopActor(t *testing.T, pid *actor.PID) {
	t.Helper()
	require.NoError(t, quiet.Root.StopFuture(pid).Wait())
}

func (c *client) ask(t *testing.T, s *actors.Store, message any) any {
	t.Helper()
	quiet.Root.Send(c.pid, &send{s.PID(), message})
	return <-c.replies
}

// TestEveryRequestGetsItsReply, of its type and with its tag.
func TestEveryRequestGetsItsReply(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level})
		c := newClient(t, 10)
		last := uint64(0)
		ack := c.ask(t, s, &actors.StoreRequest{Subject: "a", Header: actors.Header{"A": {"1"}}, Payload: []byte("p"), ExpectLast: &last, Tag: "t1"}).(*actors.StoreReply)
		require.NoError(t, ack.Err)
		require.Equal(t, "t1", ack.Tag)
		require.Equal(t, uint64(1), ack.Ack.Sequence)
		require.False(t, ack.Ack.Time.IsZero())
		ack = c.ask(t, s, &actors.StoreRequest{Subject: "a", ExpectLast: &last, Tag: 2}).(*actors.StoreReply)
		require.ErrorIs(t, ack.Err, actors.ErrSequenceMismatch)
		require.Equal(t, 2, ack.Tag)
		require.Zero(t, ack.Ack)
		ack = c.ask(t, s, &actors.StoreRequest{Subject: "a", Header: actors.Header{"": nil}, Tag: 2.5}).(*actors.StoreReply)
		require.ErrorIs(t, ack.Err, actors.ErrBadHeader)
		require.Equal(t, 2.5, ack.Tag)
		at := time.Unix(1, 2).UTC()
		ack = c.ask(t, s, &actors.StoreRawRequest{Message: actors.RawMessage{Sequence: 2, Time: at, Subject: "raw"}, Tag: 3}).(*actors.StoreReply)
		require.NoError(t, ack.Err)
		require.Equal(t, actors.Ack{Sequence: 2, Time: at}, ack.Ack)
		batch := c.ask(t, s, &actors.StoreBatchRequest{Messages: []actors.BatchMessage{{Subject: "b"}, {Subject: "b"}}, Tag: 4}).(*actors.StoreBatchReply)
		require.NoError(t, batch.Err)
		require.Equal(t, uint64(3), batch.Ack.First)
		require.Equal(t, uint64(4), batch.Ack.Last)
		require.Equal(t, 4, batch.Tag)
		batch = c.ask(t, s, &actors.StoreBatchRequest{Tag: 5}).(*actors.StoreBatchReply)
		require.ErrorIs(t, batch.Err, actors.ErrEmptyBatch)
		skip := c.ask(t, s, &actors.SkipRequest{Count: 6, Tag: 6}).(*actors.SkipReply)
		require.NoError(t, skip.Err)
		require.Equal(t, uint64(10), skip.Last)
		require.Equal(t, 6, skip.Tag)
		load := c.ask(t, s, &actors.LoadRequest{Sequence: 1, Tag: 7}).(*actors.LoadReply)
		require.NoError(t, load.Err)
		require.Equal(t, 7, load.Tag)
		require.Equal(t, "NATS/1.0\r\nA: 1\r\n\r\n", string(load.Message.HeaderBlock))
		for sequence, want := range map[uint64]error{0: nil, 7: actors.ErrNotFound, 11: actors.ErrEOF} {
			load = c.ask(t, s, &actors.LoadRequest{Sequence: sequence, Tag: 8}).(*actors.LoadReply)
			require.ErrorIs(t, load.Err, want)
			require.Equal(t, 8, load.Tag)
		}
		flush := c.ask(t, s, &actors.FlushRequest{Tag: 9}).(*actors.FlushReply)
		require.NoError(t, flush.Err)
		require.Equal(t, 9, flush.Tag)
		state := c.ask(t, s, &actors.StateRequest{Tag: 10}).(*actors.StateReply)
		require.Equal(t, stateOf(t, s), state.State)
		require.Equal(t, uint64(10), state.State.Durable)
		require.Equal(t, 10, state.Tag)
		stop := c.ask(t, s, &actors.StopRequest{Tag: 11}).(*actors.StopReply)
		require.NoError(t, stop.Err)
		require.Equal(t, 11, stop.Tag)
		requireStopped(t, s)
		_, dead := c.ask(t, s, &actors.StoreRequest{Tag: 12}).(*actor.DeadLetterResponse)
		require.True(t, dead)
		require.Empty(t, c.replies)
	})
}

// TestReadRequestGoesThroughTheStream in pieces, over skips, to the end.
func TestReadRequestGoesThroughTheStream(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4 << 10})
	c := newClient(t, 10)
	const n = 100
	for i := range n {
		mustStore(t, s, "a", string(make([]byte, 100)))
		if i%10 == 9 {
			_, err := s.Skip(t.Context(), 0, 3)
			require.NoError(t, err)
		}
	}
	for _, row := range []struct{ most, bytes, atMost int }{{0, 0, 1000}, {7, 0, 7}, {0, 250, 3}, {1, 1, 1}} {
		next, got := uint64(0), 0
		for next <= stateOf(t, s).LastSequence {
			r := c.ask(t, s, &actors.ReadRequest{From: next, Max: row.most, MaxBytes: row.bytes, Tag: next}).(*actors.ReadReply)
			require.NoError(t, r.Err)
			require.Equal(t, next, r.Tag)
			require.Greater(t, r.Next, next)
			require.LessOrEqual(t, len(r.Messages), row.atMost)
			for _, m := range r.Messages {
				require.GreaterOrEqual(t, m.Sequence, next)
				require.Less(t, m.Sequence, r.Next)
			}
			got += len(r.Messages)
			next = r.Next
		}
		require.Equal(t, n, got)
		r := c.ask(t, s, &actors.ReadRequest{From: next}).(*actors.ReadReply)
		require.Empty(t, r.Messages)
		require.Equal(t, next, r.Next)
	}
}

// TestReadRequestGoesOnBehindDamage, wherever it is.
func TestReadRequestGoesOnBehindDamage(t *testing.T) {
	for _, damaged := range []uint64{1, 2, 10} {
		var clk clock
		config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk.now})}
		s := open(t, config)
		for i := range 10 {
			mustStore(t, s, "a", fmt.Sprintf("secret-%d.", i+1))
		}
		dropMemory(t, s, &clk)
		flip(t, blockPath(config, 1), fmt.Sprintf("secret-%d.", damaged))
		c := newClient(t, 10)
		got, errs := 0, 0
		for next := uint64(1); next <= 10; {
			r := c.ask(t, s, &actors.ReadRequest{From: next}).(*actors.ReadReply)
			got += len(r.Messages)
			if r.Err != nil {
				require.ErrorIs(t, r.Err, actors.ErrCorrupt)
				errs++
			}
			require.Greater(t, r.Next, next)
			next = r.Next
		}
		require.Equal(t, 9, got)
		require.Equal(t, 1, errs)
	}
}

// TestRequestsBeyondCreditAreAnswered, each once, with ErrOverloaded.
func TestRequestsBeyondCreditAreAnswered(t *testing.T) {
	block := make(chan struct{})
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: fault, MaxInFlight: 4})
	mustStore(t, s, "a", "first")
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			return blocktest.Fault{Wait: func() { <-block }}
		}
		return blocktest.Fault{}
	})
	const n = 100
	c := newClient(t, 3*n)
	for i := range n {
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.StoreRequest{Subject: "a", Tag: i}})
		if i%10 == 0 {
			quiet.Root.Send(c.pid, &send{s.PID(), &actors.LoadRequest{Sequence: 1, Tag: n + i}})
		}
	}
	replies := map[any]error{}
	take := func() {
		switch r := (<-c.replies).(type) {
		case *actors.StoreReply:
			require.NotContains(t, replies, r.Tag)
			replies[r.Tag] = r.Err
		case *actors.LoadReply:
			require.NotContains(t, replies, r.Tag)
			replies[r.Tag] = r.Err
		default:
			t.Fatalf("%T", r)
		}
	}
	for len(replies) < n+n/10-4 {
		take()
	}
	for _, err := range replies {
		if err != nil {
			require.ErrorIs(t, err, actors.ErrOverloaded)
		}
	}
	close(block)
	for len(replies) < n+n/10 {
		take()
	}
	stored := uint64(1)
	for tag, err := range replies {
		if err == nil && tag.(int) < n {
			stored++
		}
	}
	require.Equal(t, stored, stateOf(t, s).Messages)
	require.NoError(t, s.Flush(t.Context()))
	require.Empty(t, c.replies)
}

// TestFullLaneAnswersEverything: while the store actor cannot look at its mailbox,
// what does not fit is answered at once, in its type, truthfully.
func TestFullLaneAnswersEverything(t *testing.T) {
	block := make(chan struct{})
	var blocked atomic.Bool
	entered := make(chan struct{}, 1)
	clk := func() time.Time {
		if blocked.Load() {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-block
		}
		return time.Now()
	}
	s := open(t, actors.Config{MaxInFlight: 2, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk})})
	mustStore(t, s, "a", "x")
	c := newClient(t, 100)
	blocked.Store(true)
	quiet.Root.RequestWithCustomSender(s.PID(), &actors.StoreRequest{Subject: "a", Tag: "first"}, c.pid)
	<-entered // the first is taken, or the turn before has not ended
	queued := 0
	for s.Stats().MailboxDepth < 4 { // the lane's bound is twice MaxInFlight
		quiet.Root.RequestWithCustomSender(s.PID(), &actors.StateRequest{Tag: "queued"}, c.pid)
		queued++
	}
	for _, row := range []struct {
		request any
		check   func(reply any)
	}{
		{&actors.StoreRequest{Subject: "a", Tag: 1}, func(r any) { require.Equal(t, &actors.StoreReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.StoreRawRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.StoreReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.StoreBatchRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.StoreBatchReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.SkipRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.SkipReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.LoadRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.LoadReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.ReadRequest{From: 3, Tag: 1}, func(r any) { require.Equal(t, &actors.ReadReply{Next: 3, Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.FlushRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.FlushReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.StopRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.StopReply{Err: actors.ErrOverloaded, Tag: 1}, r) }},
		{&actors.StateRequest{Tag: 1}, func(r any) { require.Equal(t, &actors.StateReply{State: stateOf(t, s), Tag: 1}, r) }},
		{&actors.WatchRequest{}, func(r any) { require.Equal(t, &actors.Advanced{Last: 1, Err: actors.ErrOverloaded}, r) }},
		{&actors.UnwatchRequest{}, func(r any) { require.Equal(t, &actors.Advanced{Last: 1, Err: actors.ErrOverloaded}, r) }},
	} {
		row.check(c.ask(t, s, row.request))
	}
	blocked.Store(false)
	close(block)
	counts := map[any]int{}
	for range 1 + queued {
		switch r := (<-c.replies).(type) {
		case *actors.StoreReply:
			require.NoError(t, r.Err)
			counts[r.Tag]++
		case *actors.StateReply:
			counts[r.Tag]++
		}
	}
	require.Equal(t, map[any]int{"first": 1, "queued": queued}, counts)
	require.Empty(t, c.replies)
}

// TestUnknownMessagesOfNobody hurt nobody; see TestRequestsByValueAreCarriedOut for those of somebody.
func TestUnknownMessagesOfNobody(t *testing.T) {
	s := open(t, actors.Config{})
	for _, m := range []any{"text", 5, &struct{}{}, &actors.StoreRequest{Subject: "a"}, actors.StoreRequest{Subject: "a"}} {
		quiet.Root.Send(s.PID(), m)
	}
	require.NoError(t, s.Flush(t.Context()))
	require.Equal(t, uint64(2), stateOf(t, s).Messages)
}

func TestActorsWatchByPID(t *testing.T) {
	s := open(t, actors.Config{})
	a, b, gone := newClient(t, 1000), newClient(t, 1000), newClient(t, 1000)
	for _, c := range []*client{a, b, gone} {
		require.Equal(t, &actors.Advanced{}, c.ask(t, s, &actors.WatchRequest{}))
	}
	mustStore(t, s, "a", "x")
	for _, c := range []*client{a, b, gone} {
		require.Equal(t, &actors.Advanced{Last: 1}, <-c.replies)
	}
	quiet.Root.Send(b.pid, &send{s.PID(), &actors.UnwatchRequest{}})
	b.ask(t, s, &actors.StateRequest{}) // the unwatch is in force
	stopActor(t, gone.pid)
	for i := range 10 {
		mustStore(t, s, "a", "x")
		require.Equal(t, &actors.Advanced{Last: uint64(i + 2)}, <-a.replies)
	}
	require.Empty(t, b.replies)
	require.Empty(t, gone.replies)
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, &actors.Advanced{Last: 11, Stopped: true}, <-a.replies)
	require.Empty(t, a.replies)
	require.Empty(t, b.replies)
}

// TestActorStoresWithoutBlocking: 10,000 messages, as many on their way as the
// credit allows.
func TestActorStoresWithoutBlocking(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		const n, window = 10_000, 500
		s := open(t, actors.Config{Sync: level, MaxInFlight: window})
		done := make(chan error, 1)
		sent, acked, longest := 0, 0, time.Duration(0)
		producer := quiet.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			begin := time.Now()
			fill := func() {
				for sent < n && sent-acked < window {
					ctx.Request(s.PID(), &actors.StoreRequest{Subject: "a", Payload: []byte(fmt.Sprint(sent)), Tag: sent})
					sent++
				}
			}
			switch m := ctx.Message().(type) {
			case *actor.Started:
				fill()
			case *actors.StoreReply:
				if m.Err != nil || m.Tag != acked || m.Ack.Sequence != uint64(acked+1) {
					done <- fmt.Errorf("reply %d: tag %v, %+v: %w", acked, m.Tag, m.Ack, m.Err)
				}
				if acked++; acked == n {
					done <- nil
				}
				fill()
			}
			longest = max(longest, time.Since(begin))
		}))
		err := <-done
		stopActor(t, producer)
		require.NoError(t, err)
		require.Equal(t, uint64(n), stateOf(t, s).Messages)
		require.Less(t, longest, time.Second)
	})
}

// panicFS panics in a write once it is armed, and in a read when reads is set.
type panicFS struct {
	blockio.FS
	armed, reads atomic.Bool
}

type panicFile struct {
	blockio.File
	fs *panicFS
}

func (p *panicFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	f, err := p.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &panicFile{f, p}, nil
}

func (f *panicFile) WriteAt(p []byte, offset int64) (int, error) {
	if f.fs.armed.Load() {
		panic("a bug in the file system")
	}
	return f.File.WriteAt(p, offset)
}

func (f *panicFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.fs.reads.Load() {
		panic("a bug in the file system")
	}
	return f.File.ReadAt(p, offset)
}

// TestPanicInAChildFailsTheStore: all who wait are told, reads go on, Stop works,
// and the directory can be opened again.
func TestPanicInAChildFailsTheStore(t *testing.T) {
	files := &panicFS{FS: blocktest.NewMemFS()}
	config := actors.Config{Dir: "data", FS: files, RetryMin: time.Hour, RetryMax: time.Hour}
	s := openToFail(t, config)
	mustStore(t, s, "a", "before")
	files.armed.Store(true)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.StoreMsg(context.Background(), "a", nil, nil); err == nil {
				t.Error("acknowledged")
			}
		})
	}
	all.Wait()
	require.True(t, s.Stats().Failed)
	require.Equal(t, uint64(1), s.Stats().Failures)
	_, err := s.StoreMsg(t.Context(), "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrFailed)
	require.ErrorIs(t, s.Flush(t.Context()), actors.ErrFailed)
	m, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "before", string(m.Payload))
	require.Zero(t, s.Stats().InFlight)
	require.ErrorIs(t, s.Stop(t.Context()), actors.ErrFailed)
	require.ErrorIs(t, s.Stop(t.Context()), actors.ErrFailed, "again")
	files.armed.Store(false)
	s = open(t, config)
	require.GreaterOrEqual(t, stateOf(t, s).Messages, uint64(1))
	mustStore(t, s, "a", "after")
}

// TestPanicInOneChildLeavesTheOther: what the other one still completes comes to a
// store that has failed, and does no harm.
func TestPanicInOneChildLeavesTheOther(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	var armed atomic.Bool
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := openToFail(t, actors.Config{Dir: "data", FS: fault, Sync: actors.SyncInterval, SyncEvery: time.Millisecond})
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch {
		case op.Kind == blocktest.OpSync:
			return blocktest.Fault{Wait: func() {
				select {
				case entered <- struct{}{}:
				default:
				}
				<-release
			}}
		case op.Kind == blocktest.OpWrite && armed.Load():
			return blocktest.Fault{Wait: func() { panic("a bug in the file system") }}
		}
		return blocktest.Fault{}
	})
	mustStore(t, s, "a", "before")
	<-entered
	armed.Store(true)
	_, err := s.StoreMsg(t.Context(), "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrFailed)
	close(release)
	armed.Store(false)
	for range 100 {
		_, err = s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		require.NotErrorIs(t, err, actors.ErrStopped)
		_, err = s.LoadMsg(t.Context(), 1)
		require.NoError(t, err)
	}
	err = s.Stop(t.Context())
	require.ErrorIs(t, err, actors.ErrFailed)
	require.NotContains(t, err.Error(), "store actor")
}

// TestPanicInTheStoreActorLeavesNobodyWaiting, whatever was on its way: one that panics at everything gives up, and
// then it stops.
func TestPanicInTheStoreActorLeavesNobodyWaiting(t *testing.T) {
	var bad atomic.Bool
	clk := func() time.Time {
		if bad.Load() {
			panic("a bug in the clock")
		}
		return time.Now()
	}
	config := actors.Config{Dir: t.TempDir(), MaxInFlight: 16, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk})}
	for range 5 {
		bad.Store(false)
		s, err := actors.Open(t.Context(), quiet, withName(config))
		require.NoError(t, err)
		c := newClient(t, 100)
		require.IsType(t, &actors.Advanced{}, c.ask(t, s, &actors.WatchRequest{}))
		p := s.Pipeline(8, nil)
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				for {
					if _, err := s.StoreMsg(context.Background(), "a", nil, nil); err != nil {
						if !errors.Is(err, actors.ErrFailed) && !errors.Is(err, actors.ErrStopped) {
							t.Error(err)
						}
						break
					}
				}
				for {
					if _, err := p.Store(context.Background(), "a", nil, nil); err != nil {
						break
					}
				}
				require.NoError(t, p.Wait(context.Background()))
			})
		}
		bad.Store(true)
		all.Wait()
		require.ErrorIs(t, s.Stop(context.Background()), actors.ErrFailed)
		require.ErrorIs(t, s.Stop(context.Background()), actors.ErrFailed, "again")
		requireStopped(t, s)
		for stopped := false; !stopped; {
			if a, ok := (<-c.replies).(*actors.Advanced); ok {
				stopped = a.Stopped
			}
		}
	}
	bad.Store(false)
	s := open(t, config)
	mustStore(t, s, "a", "after")
}

func withName(c actors.Config) actors.Config {
	c.Name = "ORDERS"
	return c
}

// TestStoreActorMayBeStoppedFromOutside: callers are told, the lock is released, and what
// was acknowledged is there.
func TestStoreActorMayBeStoppedFromOutside(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for name, stop := range map[string]func(*actor.PID){
			"stop": quiet.Root.Stop, "poison": quiet.Root.Poison,
		} {
			t.Run(name, func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Sync: level, MaxInFlight: 8}
				s := open(t, config)
				var acked, pipelined atomic.Uint64
				p := s.Pipeline(8, func(r actors.PipelineResult) {
					if r.Err == nil {
						pipelined.Store(max(pipelined.Load(), r.Ack.Sequence))
					}
				})
				var all sync.WaitGroup
				begun := make(chan struct{}, 1000)
				for g := range 16 {
					all.Go(func() {
						for {
							var err error
							if g%4 == 0 {
								_, err = p.Store(context.Background(), "a", nil, nil)
							} else {
								var ack actors.Ack
								if ack, err = s.StoreMsg(context.Background(), "a", nil, nil); err == nil {
									for old := acked.Load(); old < ack.Sequence && !acked.CompareAndSwap(old, ack.Sequence); old = acked.Load() {
									}
								}
							}
							if err != nil {
								checkStopped(t, err)
								return
							}
							select {
							case begun <- struct{}{}:
							default:
							}
						}
					})
				}
				for range 50 {
					<-begun
				}
				stop(s.PID())
				all.Wait()
				require.NoError(t, p.Wait(t.Context()))
				require.NoError(t, s.Stop(t.Context()))
				requireStopped(t, s)
				s = open(t, config)
				require.GreaterOrEqual(t, stateOf(t, s).LastSequence, max(acked.Load(), pipelined.Load()))
			})
		}
	})
}

// TestStopWhileRecovering: a store that is asked to stop while an attempt to
// recover runs, stops.
func TestStopWhileRecovering(t *testing.T) {
	for _, succeed := range []bool{false, true} {
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := openToFail(t, actors.Config{Dir: "data", FS: fault, RetryMin: time.Millisecond})
		mustStore(t, s, "a", "x")
		entered, goOn := make(chan struct{}, 1), make(chan struct{})
		var failing atomic.Bool
		failing.Store(true)
		fault.SetHook(func(op blocktest.Op) blocktest.Fault {
			switch {
			case op.Kind == blocktest.OpSync && failing.Load():
				return blocktest.Fault{Err: blocktest.ErrIO}
			case op.Kind == blocktest.OpReadDir:
				f := blocktest.Fault{Wait: func() { entered <- struct{}{}; <-goOn }}
				if !succeed {
					f.Err = blocktest.ErrIO
				}
				return f
			}
			return blocktest.Fault{}
		})
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		<-entered
		failing.Store(false)
		stopped := make(chan error, 1)
		go func() { stopped <- s.Stop(context.Background()) }()
		// The stop has begun when reads are refused.
		for err = nil; err == nil; {
			_, err = s.LoadMsg(t.Context(), 1)
		}
		close(goOn)
		if err := <-stopped; err != nil {
			require.ErrorIs(t, err, actors.ErrFailed)
		}
	}
}
