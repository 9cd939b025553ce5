package actors

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

var testOps opPool

// ended returns a context that has ended, and its cause.
func ended() (context.Context, error) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx, cause
}

func TestCallerLeavesQueuedOperationUndone(t *testing.T) {
	o := testOps.get()
	ctx, cause := ended()
	_, err := o.wait(ctx)
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "nothing was changed")
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	require.False(t, o.claim(), "it must not be carried out")
}

func TestCallerLeavesStagedOperationWithUnknownOutcome(t *testing.T) {
	o := testOps.get()
	require.True(t, o.claim())
	require.True(t, o.state.CompareAndSwap(opClaimed, opStaged))
	ctx, cause := ended()
	_, err := o.wait(ctx)
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.False(t, o.complete(&engine.Reply{}, false), "nobody is there")
}

// TestCallerStaysWhileItsBytesAreRead: between claim and stage the engine reads
// the caller's slices.
func TestCallerStaysWhileItsBytesAreRead(t *testing.T) {
	o := testOps.get()
	require.True(t, o.claim())
	ctx, _ := ended()
	result := make(chan error, 1)
	go func() {
		_, err := o.wait(ctx)
		result <- err
	}()
	for range 1000 {
		runtime.Gosched()
		require.Empty(t, result)
	}
	require.True(t, o.state.CompareAndSwap(opClaimed, opStaged))
	require.ErrorIs(t, <-result, ErrOutcomeUnknown)
}

func TestReplyWinsOverContextWhenDone(t *testing.T) {
	o := testOps.get()
	require.True(t, o.claim())
	require.True(t, o.complete(&engine.Reply{Sequence: 7}, false))
	ctx, _ := ended()
	// The select in wait may see either first: both give the reply.
	r, err := o.wait(ctx)
	require.NoError(t, err)
	require.Equal(t, uint64(7), r.Sequence)
}

// TestACallerThatHasRunItsTurnNeedsNoSignal: the reply is there, also when the context has ended in the turn, and the operation can
// be used again.
func TestACallerThatHasRunItsTurnNeedsNoSignal(t *testing.T) {
	var own opPool
	o := own.get()
	for range 2 {
		require.True(t, o.claim())
		require.True(t, o.complete(&engine.Reply{Sequence: 7}, true))
		require.Empty(t, o.done)
		ctx, _ := ended()
		r, err := o.wait(ctx) // which gives it back
		require.NoError(t, err)
		require.Equal(t, uint64(7), r.Sequence)
		o = own.get()
	}
	require.True(t, o.claim())
	require.True(t, o.complete(&engine.Reply{}, false))
	require.Len(t, o.done, 1)
}

// TestOperationHasOneOwnerAtATime runs callers, whose contexts end at any moment,
// against an actor, over pooled operations. The race detector sees a second owner.
func TestOperationHasOneOwnerAtATime(t *testing.T) {
	posts := make(chan *op, 64)
	var callers, actors sync.WaitGroup
	var wrong, undone atomic.Int64
	carried := sync.Map{} // payload value → true when carried out
	actors.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		var staged []*op
		finish := func(n int) {
			for _, o := range staged[:n] {
				if !o.complete(&engine.Reply{Tag: o, Sequence: o.raw.Sequence}, false) {
					o.recycle()
				}
			}
			staged = append(staged[:0], staged[n:]...)
		}
		for o := range posts {
			if !o.claim() {
				o.recycle()
				continue
			}
			carried.Store(o.raw.Sequence, true)
			o.raw.Payload[0]++ // what the engine does is a read; a write makes races plain
			o.state.CompareAndSwap(opClaimed, opStaged)
			if staged = append(staged, o); len(staged) > 8 {
				finish(random.IntN(len(staged)))
			}
		}
		finish(len(staged))
	})
	var number atomic.Uint64
	for g := range 8 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(g)))
			payload := make([]byte, 1)
			for range 3000 {
				n := number.Add(1)
				o := testOps.get()
				o.raw.Sequence, o.raw.Payload = n, payload
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(2) == 0 {
					go cancel()
				}
				posts <- o
				r, err := o.wait(ctx)
				payload[0]++ // ours again
				_, done := carried.Load(n)
				switch {
				case err == nil && (r.Sequence != n || !done):
					wrong.Add(1)
				case err != nil && !done:
					undone.Add(1)
				}
				cancel()
			}
		})
	}
	// Operations that stay staged while the actor waits for more are pushed on.
	stop := make(chan struct{})
	var pusher sync.WaitGroup
	pusher.Go(func() {
		ctx, _ := ended()
		for {
			select {
			case <-stop:
				return
			default:
				o := testOps.get()
				o.raw.Payload = make([]byte, 1)
				posts <- o
				_, _ = o.wait(ctx)
			}
		}
	})
	callers.Wait()
	close(stop)
	pusher.Wait()
	close(posts)
	actors.Wait()
	require.Zero(t, wrong.Load())
	t.Logf("%d operations were left undone", undone.Load())
}
