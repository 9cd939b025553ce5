package actors

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// diskThatWaits is a file system whose syncs of blocks take until they are let go, once it is slow.
type diskThatWaits struct {
	*blocktest.FaultFS
	syncing, release chan struct{}
}

func newDiskThatWaits() *diskThatWaits {
	return &diskThatWaits{blocktest.NewFaultFS(blocktest.NewMemFS()), make(chan struct{}, 1), make(chan struct{})}
}

func (d *diskThatWaits) slow() {
	d.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			select {
			case d.syncing <- struct{}{}:
			default:
			}
			<-d.release
		}
		return blocktest.Fault{}
	})
}

// withACommitAside opens a store in a bubble and leaves it with a commit of a lone caller that the disk has not done.
func withACommitAside(t *testing.T, test func(t *testing.T, s *Store, d *diskThatWaits, stored chan error)) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiskThatWaits()
		s, err := Open(t.Context(), faultSystem, Config{Dir: "data", Name: "ORDERS", FS: d, Runtime: NewRuntime(RuntimeConfig{})})
		require.NoError(t, err)
		_, err = s.StoreMsg(t.Context(), "a", nil, nil)
		require.NoError(t, err)
		d.slow()
		stored := make(chan error, 1)
		go func() {
			_, err := s.StoreMsg(t.Context(), "a", nil, nil)
			stored <- err
		}()
		<-d.syncing
		synctest.Wait()
		test(t, s, d, stored)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		_ = s.Stop(ctx)
		<-s.gone
	})
}

// TestTheStoreActorIsNotBusyWithACommit, also of a lone caller: it answers while the disk takes its time.
func TestTheStoreActorIsNotBusyWithACommit(t *testing.T) {
	withACommitAside(t, func(t *testing.T, s *Store, d *diskThatWaits, stored chan error) {
		watching, cancel := context.WithCancel(t.Context())
		_, err := s.Watch(watching)
		require.NoError(t, err)
		cancel()
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.StoreMsg(ended, "b", nil, nil)
		require.ErrorIs(t, err, ErrOutcomeUnknown, "it is on its way behind the first")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(d.release)
		require.NoError(t, <-stored)
		_, err = s.StoreMsg(t.Context(), "c", nil, nil)
		require.NoError(t, err)
		require.Equal(t, uint64(4), s.published.Last(), "what was on its way is stored")
	})
}

// TestAStopFromOutsideWaitsForACommitThatIsPutAside: nobody else may open the stream while the disk writes.
func TestAStopFromOutsideWaitsForACommitThatIsPutAside(t *testing.T) {
	withACommitAside(t, func(t *testing.T, s *Store, d *diskThatWaits, stored chan error) {
		s.system.Root.Stop(s.pid)
		synctest.Wait()
		select {
		case <-s.gone:
			require.Fail(t, "the store has ended")
		default:
		}
		_, answers := s.system.ProcessRegistry.Get(s.pid)
		require.True(t, answers, "whoever asks the store is told that it stops")
		require.ErrorIs(t, <-stored, ErrOutcomeUnknown)
		close(d.release)
		<-s.gone
		s, err := Open(t.Context(), faultSystem, Config{Dir: "data", Name: "ORDERS", FS: d, Runtime: NewRuntime(RuntimeConfig{})})
		require.NoError(t, err)
		require.Equal(t, uint64(2), s.published.Last())
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestTheEndOfAChildIsNotThatOfACommitThatIsPutAside: the block-writer does not end before it, and then the store goes on
// with another one.
func TestTheEndOfAChildIsNotThatOfACommitThatIsPutAside(t *testing.T) {
	withACommitAside(t, func(t *testing.T, s *Store, d *diskThatWaits, stored chan error) {
		children := childrenOf(s)
		require.NotEmpty(t, children)
		s.system.Root.Stop(children[0]) // the first that was spawned is the block-writer
		synctest.Wait()
		require.Empty(t, stored)
		close(d.release)
		require.NoError(t, <-stored)
		synctest.Wait()
		require.NoError(t, s.Ready(t.Context()))
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.NoError(t, err)
	})
}

// TestACallerWhoCannotLeaveReturnsWhenItsDiskDoes: it does the commit itself, so that no end of the store brings it back
// before that. Who ends the store is told, and waits for nobody.
func TestACallerWhoCannotLeaveReturnsWhenItsDiskDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiskThatWaits()
		s, err := Open(t.Context(), faultSystem, Config{Dir: "data", Name: "ORDERS", FS: d, Runtime: NewRuntime(RuntimeConfig{})})
		require.NoError(t, err)
		for range soleBefore + 1 {
			_, err := s.StoreMsg(context.Background(), "a", nil, nil)
			require.NoError(t, err)
			synctest.Wait()
		}
		d.slow()
		stored := make(chan error, 1)
		go func() {
			_, err := s.StoreMsg(context.Background(), "a", nil, nil)
			stored <- err
		}()
		<-d.syncing
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, s.Stop(ctx), "I/O is still under way")
		synctest.Wait()
		require.Empty(t, stored)
		close(d.release)
		require.ErrorIs(t, <-stored, ErrOutcomeUnknown)
		<-s.gone
	})
}

// TestAFunctionOfAPipelineThatEndsItsGoroutine, as one of a test that uses t.FailNow, is like a panic of the store actor:
// the store recovers.
func TestAFunctionOfAPipelineThatEndsItsGoroutine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := Open(t.Context(), faultSystem, Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Runtime: NewRuntime(RuntimeConfig{})})
	require.NoError(t, err)
	p := s.Pipeline(1, func(PipelineResult) { runtime.Goexit() })
	_, err = p.Store(ctx, "a", nil, nil)
	require.NoError(t, err)
	require.NoError(t, p.Wait(ctx))
	for err = ErrFailed; errors.Is(err, ErrFailed); {
		require.NoError(t, s.Ready(ctx))
		_, err = s.StoreMsg(ctx, "a", nil, nil)
	}
	require.NoError(t, err)
	require.EqualValues(t, 2, s.published.Last())
	require.NoError(t, s.Stop(ctx))
}
