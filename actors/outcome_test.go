package actors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// operation is one that was asked for, and what its caller was told.
type operation struct {
	payloads []string // of its messages
	skipped  int      // a skip of 2^(skipped-1) sequences, or none
	err      error
}

// outcomes are what the callers of a store were told.
type outcomes struct {
	system     *actor.ActorSystem
	store      *actors.Store
	noRecovery bool

	mu       sync.Mutex
	told     []operation
	numbered atomic.Int64
	skips    atomic.Int64
	acked    atomic.Int64
	enough   chan struct{} // closed when so many are acknowledged that the store may end
}

// tell notes an operation and reports whether its caller should go on.
func (o *outcomes) tell(op operation) bool {
	o.mu.Lock()
	o.told = append(o.told, op)
	o.mu.Unlock()
	if op.err == nil && o.acked.Add(1) == 150 {
		close(o.enough)
	}
	switch {
	case errors.Is(op.err, context.Canceled), errors.Is(op.err, actors.ErrOverloaded):
	case errors.Is(op.err, actors.ErrFailed):
		return !o.noRecovery
	case op.err != nil:
		return false
	}
	return true
}

func (o *outcomes) payload() string { return fmt.Sprintf("%d;", o.numbered.Add(1)) }

// ask sends a request to the store's actor, and returns the error of its reply.
func (o *outcomes) ask(request any) error {
	reply, err := o.system.Root.RequestFuture(o.store.PID(), request, time.Minute).Result()
	if err != nil {
		return err
	}
	switch m := reply.(type) {
	case *actors.StoreReply:
		return m.Err
	case *actors.StoreBatchReply:
		return m.Err
	case *actors.SkipReply:
		return m.Err
	case *actors.FlushReply:
		return m.Err
	}
	return fmt.Errorf("a reply of type %T", reply)
}

// callers is each way to change a stream. Each returns the operations of one call.
func (o *outcomes) callers() []func(ctx context.Context) operation {
	store := func(ctx context.Context) operation {
		p := o.payload()
		_, err := o.store.StoreMsg(ctx, "a", nil, []byte(p))
		return operation{payloads: []string{p}, err: err}
	}
	skip := func(do func(count uint64) error) operation {
		n := int(o.skips.Add(1))
		if n > 50 {
			return operation{err: o.store.Flush(context.Background())}
		}
		return operation{skipped: n, err: do(1 << (n - 1))}
	}
	return []func(ctx context.Context) operation{
		store,
		store,
		func(ctx context.Context) operation { // its context ends at any moment
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go cancel()
			return store(ctx)
		},
		func(ctx context.Context) operation {
			p, q := o.payload(), o.payload()
			_, err := o.store.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a", Payload: []byte(p)}, {Subject: "a", Payload: []byte(q)}})
			return operation{payloads: []string{p, q}, err: err}
		},
		func(ctx context.Context) operation {
			p := o.payload()
			_, err := o.store.StoreRaw(ctx, actors.RawMessage{Payload: []byte(p)})
			return operation{payloads: []string{p}, err: err}
		},
		func(ctx context.Context) operation {
			return skip(func(count uint64) error { _, err := o.store.Skip(ctx, 0, count); return err })
		},
		func(ctx context.Context) operation { return operation{err: o.store.Flush(ctx)} },
		func(context.Context) operation {
			p := o.payload()
			return operation{payloads: []string{p}, err: o.ask(&actors.StoreRequest{Subject: "a", Payload: []byte(p)})}
		},
		func(context.Context) operation {
			p, q := o.payload(), o.payload()
			return operation{payloads: []string{p, q}, err: o.ask(&actors.StoreBatchRequest{
				Messages: []actors.BatchMessage{{Subject: "a", Payload: []byte(p)}, {Subject: "a", Payload: []byte(q)}},
			})}
		},
		func(context.Context) operation {
			return skip(func(count uint64) error { return o.ask(&actors.SkipRequest{Count: count}) })
		},
		func(context.Context) operation { return operation{err: o.ask(&actors.FlushRequest{})} },
	}
}

// pipeline hands messages over until one ends badly.
func (o *outcomes) pipeline() {
	var handed sync.Map // payload by index
	var ended atomic.Bool
	p := o.store.Pipeline(8, func(r actors.PipelineResult) {
		payload, _ := handed.Load(r.Index)
		if !o.tell(operation{payloads: []string{payload.(string)}, err: r.Err}) {
			ended.Store(true)
		}
	})
	for index := uint64(0); !ended.Load(); index++ {
		text := o.payload()
		handed.Store(index, text)
		if _, err := p.Store(context.Background(), "p", nil, []byte(text)); err != nil {
			o.tell(operation{payloads: []string{text}, err: err})
			break
		}
	}
	_ = p.Wait(context.Background()) // its context does not end
}

// check compares what callers were told with what is there. forgets says that what was
// acknowledged at a weak level may be gone.
func (o *outcomes) check(t *testing.T, s *actors.Store, forgets bool) (unknown int) {
	t.Helper()
	there := make(map[string]bool)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		there[string(m.Payload)] = true
	}
	state := stateOf(t, s)
	gone := state.LastSequence - state.Messages // nothing is ever removed
	require.True(t, forgets || bits.Len64(gone) <= 50)
	for _, op := range o.told {
		var is []bool
		for _, p := range op.payloads {
			is = append(is, there[p])
		}
		if op.skipped > 0 && !forgets { // else a recovery has skipped, too
			is = append(is, gone>>(op.skipped-1)&1 == 1)
		}
		switch {
		case errors.Is(op.err, actors.ErrOutcomeUnknown):
			unknown++
			require.NotErrorIs(t, op.err, actors.ErrStopped)
		case op.err != nil:
			require.NotContains(t, is, true, "refused, and there: %v", op.err)
			continue
		case !forgets:
			require.NotContains(t, is, false, "acknowledged, and not there: %v", op.payloads)
		}
		if len(op.payloads) == 2 {
			require.Equal(t, is[0], is[1], "half a batch")
		}
	}
	return unknown
}

// fails makes writes and syncs of blocks fail while broken says so.
func fails(files *blocktest.FaultFS, broken func() bool) {
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if strings.HasSuffix(op.Name, ".blk") && (op.Kind == blocktest.OpSync || op.Kind == blocktest.OpWrite) && broken() {
			return blocktest.Fault{Err: blocktest.ErrIO, Short: 40, Forget: op.Kind == blocktest.OpSync}
		}
		return blocktest.Fault{}
	})
}

// ending is how a store under load ends, or is kept from going on.
type ending struct {
	name string
	end  func(o *outcomes, files *blocktest.FaultFS)
	// noRecovery is set in the configuration.
	noRecovery bool
	// forgets are the levels at which it may cost what was acknowledged.
	forgets []actors.SyncLevel
}

var endings = []ending{
	{name: "a stop", end: func(o *outcomes, _ *blocktest.FaultFS) { _ = o.store.Stop(context.Background()) }},
	{name: "a stop whose context has ended", end: func(o *outcomes, _ *blocktest.FaultFS) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = o.store.Stop(ctx)
	}},
	{name: "the actor is stopped", end: func(o *outcomes, _ *blocktest.FaultFS) { o.system.Root.Stop(o.store.PID()) }},
	{name: "a poison pill", end: func(o *outcomes, _ *blocktest.FaultFS) { o.system.Root.Poison(o.store.PID()) }},
	{name: "the system shuts down", end: func(o *outcomes, _ *blocktest.FaultFS) {
		o.system.Shutdown()
		o.system.Root.Stop(o.store.PID())
	}},
	{
		name: "the disk fails", noRecovery: true, forgets: []actors.SyncLevel{actors.SyncNever},
		end: func(_ *outcomes, files *blocktest.FaultFS) { fails(files, func() bool { return true }) },
	},
	{
		name: "the disk fails once", forgets: []actors.SyncLevel{actors.SyncInterval, actors.SyncNever},
		end: func(o *outcomes, files *blocktest.FaultFS) {
			var once sync.Once
			failed := make(chan struct{})
			fails(files, func() (fail bool) {
				once.Do(func() { fail = true; close(failed) })
				return fail
			})
			<-failed
			for o.store.Stats().Recoveries == 0 {
				runtime.Gosched()
			}
			_ = o.store.Stop(context.Background())
		},
	},
}

// TestErrorsSayWhatBecameOfAnOperation: whatever ends a store under load, what was
// acknowledged is there, what was refused is not, and the rest says that it may be.
func TestErrorsSayWhatBecameOfAnOperation(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				operations, unknown := 0, 0
				for range 4 {
					told, u := e.run(t, level)
					operations, unknown = operations+told, unknown+u
				}
				t.Logf("%d operations, %d of unknown outcome", operations, unknown)
			})
		})
	}
}

// run lets one store live and end, and checks what is left of it.
func (e *ending) run(t *testing.T, level actors.SyncLevel) (told, unknown int) {
	o := &outcomes{noRecovery: e.noRecovery, enough: make(chan struct{}), system: actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }),
		actor.WithDeadLetterThrottleInterval(10*time.Millisecond))}
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	config := actors.Config{
		Dir: "data", Name: "S", FS: files, Sync: level, SyncEvery: time.Millisecond, MaxInFlight: 16,
		BlockSize: 4 << 10, NoRecovery: e.noRecovery, RetryMin: time.Millisecond,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{}),
	}
	var err error
	o.store, err = actors.Open(t.Context(), o.system, config)
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(o.pipeline)
	for range 2 {
		for _, call := range o.callers() {
			all.Go(func() {
				for o.tell(call(context.Background())) {
				}
			})
		}
	}
	<-o.enough
	for range rand.IntN(100) { // let the moment vary
		_ = o.store.Stats()
	}
	e.end(o, files)
	all.Wait()
	_ = o.store.Stop(context.Background()) // of a disk that fails, it says so
	files.SetHook(nil)

	s := openToFail(t, config)
	defer func() { require.NoError(t, s.Stop(t.Context())) }()
	return len(o.told), o.check(t, s, slices.Contains(e.forgets, level))
}
