package actors_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// refusedCause fails all operations of a kind on blocks and their directory, from the first one on, as the system says it.
func refusedCause(kind blocktest.OpKind, cause error) func(blocktest.Op) blocktest.Fault {
	return func(op blocktest.Op) blocktest.Fault {
		dir := filepath.Base(filepath.Dir(op.Name)) == "msgs" || filepath.Base(op.Name) == "msgs"
		if op.Kind == kind && dir && filepath.Ext(op.Name) != ".bix" {
			return blocktest.Fault{Err: &fs.PathError{Op: "write", Path: op.Name, Err: cause}}
		}
		return blocktest.Fault{}
	}
}

// TestAFailureIsToldWithItsCause, wherever it strikes: to the one whose operation it was, to all that come later, by
// handle and by PID, by a notice, and when somebody asks. It stays until the store is opened anew.
func TestAFailureIsToldWithItsCause(t *testing.T) {
	causes := []struct {
		err  error
		also []error
	}{
		{syscall.ENOSPC, []error{actors.ErrNoSpace}},
		{syscall.EACCES, []error{fs.ErrPermission}},
		{syscall.EROFS, nil},
	}
	for _, kind := range []blocktest.OpKind{blocktest.OpWrite, blocktest.OpSync, blocktest.OpCreate, blocktest.OpSyncDir} {
		for _, cause := range causes {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				t.Run(fmt.Sprint(kind, ": ", cause.err), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						told := func(err error) {
							t.Helper()
							require.ErrorIs(t, err, actors.ErrFailed)
							require.ErrorIs(t, err, cause.err)
							for _, also := range cause.also {
								require.ErrorIs(t, err, also)
							}
							require.Equal(t, len(cause.also) > 0 && cause.also[0] == actors.ErrNoSpace, errors.Is(err, actors.ErrNoSpace))
						}
						files := blocktest.NewMemFS()
						faults := blocktest.NewFaultFS(files)
						s := openToFail(t, named(faults, level, func(c *actors.Config) { c.NoRecovery, c.NoPreallocation = true, true }))
						c := newClient(t, 10)
						kept := mustStore(t, s, "a", "x").Sequence
						require.NoError(t, s.Flush(t.Context()))
						require.NoError(t, s.Err())
						var notice atomic.Pointer[actors.Notice]
						take := func(list []actors.Notice) {
							for i := range list {
								if list[i].Reason == actors.NoticeFailed {
									require.Nil(t, notice.Swap(&list[i]), "once")
								}
							}
						}
						_, err := s.Notices(t.Context(), take)
						require.NoError(t, err)
						faults.SetHook(refusedCause(kind, cause.err))
						for err = nil; err == nil; { // until the block is full, perhaps
							if _, err = s.StoreMsg(t.Context(), "a", nil, make([]byte, 1500)); err == nil {
								err = s.Flush(t.Context())
							}
						}
						told(err)
						require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
						synctest.Wait()
						told(notice.Load().Err)
						for _, ask := range []func() error{
							func() error { _, err := s.StoreMsg(t.Context(), "a", nil, nil); return err },
							func() error { return c.ask(t, s, &actors.StoreRequest{Subject: "a"}).(*actors.StoreReply).Err },
							func() error { return c.ask(t, s, &actors.FlushRequest{}).(*actors.FlushReply).Err },
							func() error { return s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 5}) },
							func() error { return c.ask(t, s, &actors.StateRequest{}).(*actors.StateReply).Failed },
							s.Err,
						} {
							err := ask()
							told(err)
							require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
						}
						faults.SetHook(nil)
						waitFor(actors.Config{}.RetryMax + 1e12)
						told(s.Err()) // although the disk takes writes again
						_, err = s.LoadMsg(t.Context(), kept)
						require.NoError(t, err, "reads go on")
						told(s.Stop(t.Context()))
						require.ErrorIs(t, s.Err(), actors.ErrStopped)
						s = open(t, named(faults, level))
						_, err = s.LoadMsg(t.Context(), kept)
						require.NoError(t, err)
						mustStore(t, s, "a", "")
						require.NoError(t, s.Err())
						require.NoError(t, s.Stop(t.Context()))
					})
				})
			})
		}
	}
}

// TestAFailureThatIsRecoveredFrom is told, too: who asks afterwards is told that all is well, and a taker that comes
// while the store has failed is told why.
func TestAFailureThatIsRecoveredFrom(t *testing.T) {
	s, files := faulty(t, actors.Config{})
	h := listen(t, t.Context(), s)
	mustStore(t, s, "a", "")
	var full atomic.Bool
	full.Store(true)
	files.SetHook(func(blocktest.Op) blocktest.Fault {
		if full.Load() { // at whatever call, as a recovery may write nothing
			return blocktest.Fault{Err: syscall.ENOSPC}
		}
		return blocktest.Fault{}
	})
	_, err := s.StoreMsg(t.Context(), "b", nil, nil)
	require.ErrorIs(t, err, actors.ErrNoSpace)
	late := listen(t, t.Context(), s)
	require.Equal(t, []string{"registered +0 +31 0", "failed +0 +0 0"}, late.take(t))
	full.Store(false)
	eventually(t, recovered(s))
	require.NoError(t, s.Err())
	require.Equal(t, []string{"registered +0 +0 0", "stored +1 +31 1 a", "failed +0 +0 0", "recovered +0 +0 0"}, h.take(t))
	require.Equal(t, []string{"recovered +0 +0 0"}, late.take(t))
}

// TestOpenSaysWhyItCannot: an error of the system stays what it is through all that is wrapped around it.
func TestOpenSaysWhyItCannot(t *testing.T) {
	for at := 0; ; at++ {
		faults := blocktest.NewFaultFS(blocktest.NewMemFS())
		faults.SetHook(blocktest.FailAt(at, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}))
		s, err := actors.Open(t.Context(), quiet, named(faults, actors.SyncAlways))
		if err == nil {
			require.NoError(t, s.Stop(t.Context()))
			if faults.Count() < at {
				return
			}
			continue
		}
		require.ErrorIs(t, err, actors.ErrNoSpace, "operation %d", at)
		require.ErrorIs(t, err, syscall.ENOSPC, "operation %d", at)
	}
}
