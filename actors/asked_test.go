package actors_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// subjectsOfWalks is so many that a walk through them looks at its context several times.
const subjectsOfWalks = 40_000

// openForWalks returns a store of many subjects with a message each, and of one, a, with a message before and behind
// them.
func openForWalks(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	config.Sync = actors.SyncNever
	s := open(t, config)
	mustStore(t, s, "a", "x")
	var batch []actors.BatchMessage
	for i := range subjectsOfWalks {
		if batch = append(batch, actors.BatchMessage{Subject: fmt.Sprintf("kv.%05d.x", i)}); len(batch) == 1000 {
			_, err := s.StoreBatch(t.Context(), batch)
			require.NoError(t, err)
			batch = batch[:0]
		}
	}
	mustStore(t, s, "a", "x")
	return s
}

// impatient is a context that is over when somebody has asked it so many times.
type impatient struct {
	context.Context
	asks atomic.Int64
}

func (c *impatient) Err() error {
	if c.asks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestWalksLookAtTheirContext every few leaves, whatever the question, and whether or not anything matches.
func TestWalksLookAtTheirContext(t *testing.T) {
	s := openForWalks(t, actors.Config{})
	middle := uint64(subjectsOfWalks / 2)
	for _, filters := range []actors.Filters{
		actors.Filter("kv.*.x"),                             // every name is looked at
		actors.Filter("kv.*.x", "kv.1.>", "kv.*.y", "a"),    // by several patterns
		actors.Filter("kv.>"),                               // whole leaves
		actors.Filter("kv.*.nothing", "kv.*.*.nothing.*.>"), // none matches
		actors.Where(func(string) bool { return false }, actors.Filter("kv.>")),
	} {
		for name, ask := range map[string]func(context.Context) error{
			"state":        func(ctx context.Context) error { _, err := s.SubjectsState(ctx, filters); return err },
			"totals":       func(ctx context.Context) error { _, err := s.SubjectsTotals(ctx, filters); return err },
			"pending":      func(ctx context.Context) error { _, _, err := s.NumPending(ctx, middle, filters); return err },
			"pending all":  func(ctx context.Context) error { _, _, err := s.NumPending(ctx, 0, filters); return err },
			"pending last": func(ctx context.Context) error { _, _, err := s.NumPendingLastPerSubject(ctx, 0, filters); return err },
			"filtered":     func(ctx context.Context) error { _, err := s.FilteredState(ctx, middle, filters); return err },
			"lasts":        func(ctx context.Context) error { _, err := s.LastSeqs(ctx, 0, 0, filters); return err },
		} {
			ctx := &impatient{Context: t.Context()}
			ctx.asks.Store(2)
			require.ErrorIs(t, ask(ctx), context.Canceled, name)
			ctx.asks.Store(math.MaxInt64)
			require.NoError(t, ask(ctx), name)
		}
	}
}

// TestShortReadsDoNotWaitForLongOnes: with one worker, a message is loaded in the middle of a walk through all
// subjects.
func TestShortReadsDoNotWaitForLongOnes(t *testing.T) {
	s := openForWalks(t, actors.Config{Runtime: actors.NewRuntime(actors.RuntimeConfig{Workers: 1})})
	loaded := make(chan struct{})
	asked := make(chan struct{})
	seen := 0
	slow := actors.Where(func(string) bool {
		switch seen++; seen {
		case 1:
			for since := time.Now(); time.Since(since) < 10*time.Millisecond; {
				runtime.Gosched()
			}
		case subjectsOfWalks / 2:
			close(asked)
			<-loaded
		}
		return true
	}, actors.Filter("kv.>"))
	walker, reader := newClient(t, 1), newClient(t, 1)
	quiet.Root.Send(walker.pid, &send{s.PID(), &actors.SubjectsRequest{Filters: []actors.Filters{slow}, Max: subjectsOfWalks, MaxBytes: 1 << 20}})
	<-asked
	reply := reader.ask(t, s, &actors.LoadRequest{Sequence: 1}).(*actors.LoadReply)
	require.NoError(t, reply.Err)
	close(loaded)
	require.Len(t, (<-walker.replies).(*actors.SubjectsReply).Totals, subjectsOfWalks)
}

// TestReadsThatNobodyWaitsForEnd: when the future of a request times out, the walk through the subjects ends.
func TestReadsThatNobodyWaitsForEnd(t *testing.T) {
	s := openForWalks(t, actors.Config{MaxInFlightBytes: 1 << 20})
	begun, gaveUp := make(chan struct{}), make(chan struct{})
	var seen atomic.Int64
	slow := actors.Where(func(string) bool {
		if seen.Add(1) == 1 {
			close(begun)
			<-gaveUp
		}
		return true
	}, actors.Filter("kv.>"))
	asker := quiet.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	quiet.Root.RequestWithCustomSender(s.PID(), &actors.SubjectsRequest{Filters: []actors.Filters{slow}, Max: subjectsOfWalks}, asker)
	<-begun
	stopActor(t, asker)
	close(gaveUp)
	// It took all the credit that there is for reads.
	c := newClient(t, 1)
	eventually(t, func() bool { return c.ask(t, s, &actors.LoadRequest{Sequence: 1}).(*actors.LoadReply).Err == nil })
	require.Less(t, seen.Load(), int64(subjectsOfWalks/2))
}

// TestTooManyIsKnownEarly: a request for the last messages of a few subjects looks at few, when there are many.
func TestTooManyIsKnownEarly(t *testing.T) {
	s := openForWalks(t, actors.Config{})
	last := stateOf(t, s).LastSequence
	looked := 0
	few := actors.Where(func(string) bool { looked++; return true }, actors.Filter("kv.>"))
	_, err := s.LastSeqs(t.Context(), 0, 10, few)
	require.ErrorIs(t, err, actors.ErrTooManyResults)
	require.Less(t, looked, 100)
	for i := range 100 {
		mustStore(t, s, fmt.Sprintf("kv.%05d.x", i), "later") // now their first messages are below most, and their last above
	}
	looked = 0
	_, err = s.LastSeqs(t.Context(), last, 10, few)
	require.ErrorIs(t, err, actors.ErrTooManyResults)
	require.Less(t, looked, 100)
	sequences, err := s.LastSeqs(t.Context(), last, 2, actors.Filter("kv.00000.x", "kv.00001.x"))
	require.NoError(t, err)
	require.Equal(t, []uint64{2, 3}, sequences)
}
