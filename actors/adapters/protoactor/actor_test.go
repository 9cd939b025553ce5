package protoactor

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/persistence"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// writer is an actor whose state is all that it was told, as in the tests of protoactor itself: events are strings, and a
// snapshot is bytes.
type writer struct {
	persistence.Mixin
	text     string
	replayed int
}

// tell adds to a writer's text; the reply is the whole text.
type tell struct{ word string }

func (w *writer) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *persistence.RequestSnapshot:
		w.PersistSnapshot(wrapperspb.Bytes([]byte(w.text)))
	case *wrapperspb.BytesValue:
		w.text = string(m.GetValue())
	case *wrapperspb.StringValue:
		w.text += m.GetValue()
		w.replayed++
	case *tell:
		sender := ctx.Sender() // a snapshot takes it away
		if m.word != "" {
			w.PersistReceive(wrapperspb.String(m.word))
			w.text += m.word
		}
		testSystem.Root.Send(sender, fmt.Sprintf("%d %s", w.replayed, w.text))
	}
}

// spawn starts a writer, and returns how to tell it something and how to stop it.
func spawn(t *testing.T, p *Provider, name string, opts ...actor.PropsOption) (say func(word string) (string, error), stop func()) {
	t.Helper()
	opts = append(opts, actor.WithReceiverMiddleware(persistence.Using(p)))
	pid, err := testSystem.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return new(writer) }, opts...), name)
	require.NoError(t, err)
	say = func(word string) (string, error) {
		reply, err := testSystem.Root.RequestFuture(pid, &tell{word}, time.Minute).Result()
		if err != nil {
			return "", err
		}
		return reply.(string), nil
	}
	return say, func() { require.NoError(t, testSystem.Root.PoisonFuture(pid).Wait()) }
}

// TestRecovery has an actor recover from each shape of what is stored, and go on, as protoactor's own tests do. The number
// is how many events it was given.
func TestRecovery(t *testing.T) {
	for name, row := range map[string]struct {
		interval int
		told     string // before it is stopped, a letter at a time
		then     string
		want     string
	}{
		"nothing":                      {5, "", "", "0 "},
		"events alone":                 {100, "abc", "", "3 abc"},
		"a snapshot at the end":        {2, "abc", "", "1 abc"},
		"a snapshot, and another one":  {2, "abcd", "ef", "2 abcdef"},
		"a snapshot, and more":         {4, "abcdefg", "h", "3 abcdefgh"},
		"no snapshots but the first":   {0, "abcdefgh", "i", "8 abcdefghi"},
		"a snapshot after each event":  {1, "abc", "de", "1 abcde"},
		"an actor that is new, and on": {3, "", "abcd", "0 abcd"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := blocktest.NewMemFS()
			p, store := openTest(t, fsys, Config{SnapshotInterval: row.interval})
			say, stop := spawn(t, p, "writer")
			for _, letter := range row.told {
				_, err := say(string(letter))
				require.NoError(t, err)
			}
			stop()
			require.NoError(t, store.Stop(t.Context()))
			p, _ = openTest(t, fsys, Config{SnapshotInterval: row.interval})
			say, stop = spawn(t, p, "writer")
			defer stop()
			got, err := say("")
			for _, letter := range row.then {
				got, err = say(string(letter))
			}
			require.NoError(t, err)
			// The first snapshot, at index 0, is of nothing.
			require.Equal(t, row.want, got)
		})
	}
}

// reasons are what a supervisor was given, and what it decides.
type reasons struct {
	mu    sync.Mutex
	given []any
}

func (r *reasons) decide(reason any) actor.Directive {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given = append(r.given, reason)
	return Decide(reason)
}

func (r *reasons) all() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.given
}

// TestAFailureReachesSupervision has the disk fail for longer than the patience: nothing is acknowledged, the supervisor
// gets the error, and the actor that it restarts has what is stored, all that was acknowledged, once.
func TestAFailureReachesSupervision(t *testing.T) {
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	config := testConfig(faulty)
	config.RetryMin, config.RetryMax = time.Millisecond, time.Millisecond
	store, err := actors.Open(t.Context(), testSystem, config)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Stop(t.Context())) }()
	p, err := New(store, Config{Patience: time.Minute})
	require.NoError(t, err)
	supervisor := new(reasons)
	decide := func(reason any) actor.Directive { // where the actor has failed, before it begins anew
		directive := supervisor.decide(reason)
		if len(supervisor.all()) > 3 {
			p.patience = time.Minute
		}
		return directive
	}
	say, stop := spawn(t, p, "writer", actor.WithGuardian(actor.NewOneForOneStrategy(1000, time.Minute, decide)))
	_, err = say("a")
	require.NoError(t, err)
	// It is impatient while the disk fails, and neither before nor later: what takes its time then would fail, too.
	p.patience = time.Millisecond

	healed := make(chan struct{})
	faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			if len(supervisor.all()) > 3 {
				select {
				case <-healed:
				default:
					close(healed)
				}
				return blocktest.Fault{}
			}
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	_, err = store.StoreMsg(t.Context(), "another", nil, nil) // an actor that gave up sooner would find all well when it begins anew
	require.ErrorIs(t, err, actors.ErrFailed)
	// The message that it fails at is lost with the turn, so that nobody is answered.
	_, err = testSystem.Root.RequestFuture(spawned("writer"), &tell{"b"}, 10*time.Millisecond).Result()
	require.ErrorIs(t, err, actor.ErrTimeout)
	<-healed
	got, err := say("c")
	require.NoError(t, err)
	stop()
	require.Equal(t, "1 ac", got)
	for _, reason := range supervisor.all() {
		var failed *Error
		require.ErrorAs(t, reason.(error), &failed)
		require.Contains(t, []string{"PersistEvent", "Restart"}, failed.Op)
	}
	require.Equal(t, "PersistEvent", supervisor.all()[0].(*Error).Op)
	say, stop = spawn(t, p, "writer")
	again, err := say("")
	require.NoError(t, err)
	stop()
	require.Equal(t, got[2:], again[2:], "what it had, and what is stored")
}

// spawned is the address of an actor of ours.
func spawned(name string) *actor.PID { return actor.NewPID(testSystem.Address(), name) }

// TestAConflictStopsTheActor has somebody else store an event of an actor that is active.
func TestAConflictStopsTheActor(t *testing.T) {
	p, _ := openTest(t, blocktest.NewMemFS(), Config{})
	supervisor := new(reasons)
	say, _ := spawn(t, p, "writer", actor.WithGuardian(actor.NewOneForOneStrategy(1000, time.Minute, supervisor.decide)))
	_, err := say("a")
	require.NoError(t, err)
	persist(p.GetState(), "writer", 1, "of another")
	ended := actor.NewFuture(testSystem, time.Minute)
	process, there := testSystem.ProcessRegistry.Get(spawned("writer"))
	require.True(t, there)
	process.SendSystemMessage(spawned("writer"), &actor.Watch{Watcher: ended.PID()})
	testSystem.Root.Send(spawned("writer"), &tell{"b"})
	require.NoError(t, ended.Wait())
	require.Len(t, supervisor.all(), 1)
	require.ErrorIs(t, supervisor.all()[0].(error), ErrConflict)
}

// TestDecide has a reason of each kind.
func TestDecide(t *testing.T) {
	failed := func(err error) error { return &Error{Op: "PersistEvent", Actor: "a", Index: 3, Err: err} }
	for _, err := range []error{ErrConflict, ErrGap, ErrCodec, actors.ErrCorrupt, actors.ErrSector, actors.ErrStopped, actors.ErrReadOnly, actors.ErrTooLarge} {
		require.Equal(t, actor.StopDirective, Decide(failed(fmt.Errorf("wrapped: %w", err))), err)
		require.Equal(t, actor.StopDirective, Decide(fmt.Errorf("wrapped: %w", failed(err))), err)
		require.Equal(t, actor.RestartDirective, Decide(err), "it is not of ours")
	}
	for _, reason := range []any{failed(actors.ErrFailed), failed(actors.ErrUnreadable), errors.New("of the actor"), "a text", nil} {
		require.Equal(t, actor.RestartDirective, Decide(reason), reason)
	}
	require.NotContains(t, failed(ErrGap).Error(), "\"a\"")
}

// TestManyActorsShareACommit has a thousand actors store an event each while one sync runs: they are in the next group.
func TestManyActorsShareACommit(t *testing.T) {
	const many = 1000
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	p, store := openTest(t, faulty, Config{})
	var stops []func()
	var pids []*actor.PID
	for i := range many {
		_, stop := spawn(t, p, fmt.Sprintf("many/%d", i))
		stops, pids = append(stops, stop), append(pids, spawned(fmt.Sprintf("many/%d", i)))
	}
	var once sync.Once
	held, goOn := make(chan struct{}), make(chan struct{})
	faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
		fault := blocktest.Fault{}
		if op.Kind == blocktest.OpSync {
			once.Do(func() { fault.Wait = func() { close(held); <-goOn } })
		}
		return fault
	})
	before := store.Stats().Groups.Count
	futures := []*actor.Future{testSystem.Root.RequestFuture(pids[0], &tell{"event"}, time.Minute)}
	<-held
	for _, pid := range pids[1:] {
		futures = append(futures, testSystem.Root.RequestFuture(pid, &tell{"event"}, time.Minute))
	}
	for store.Stats().InFlight < many {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("they do not come")
		}
	}
	close(goOn)
	for _, future := range futures {
		require.NoError(t, future.Wait())
	}
	// Each actor's first event is followed by a snapshot, the mixin's doing: two groups of a thousand, and a few that are
	// not full.
	stats := store.Stats()
	require.EqualValues(t, 2*many, stats.Stored)
	t.Logf("%d events and snapshots in %d groups", stats.Stored, stats.Groups.Count-before)
	large := uint64(0)
	for _, count := range stats.Groups.Counts[groupsFrom(stats.Groups, many/2):] {
		large += count
	}
	require.Positive(t, large, "groups of half of them or more")
	for _, stop := range stops {
		stop()
	}
}

// groupsFrom is the first bucket of groups of more than some size.
func groupsFrom(h actors.Histogram, size float64) int {
	for i, bound := range h.Bounds {
		if bound >= size {
			return i
		}
	}
	return len(h.Bounds)
}
