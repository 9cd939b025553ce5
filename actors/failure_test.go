package actors_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// faulty opens a stream in memory whose files can be made to fail.
func faulty(t *testing.T, config actors.Config) (*actors.Store, *blocktest.FaultFS) {
	t.Helper()
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	config.FS, config.Dir, config.RetryMin = files, "streams", time.Millisecond
	config.Runtime = actors.NewRuntime(actors.RuntimeConfig{})
	return open(t, config), files
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("it has not come about in a minute")
		}
	}
}

func recovered(s *actors.Store) func() bool {
	return func() bool { return s.Stats().Recoveries > 0 && !s.Stats().Failed }
}

func onBlocks(kind blocktest.OpKind, fault func() blocktest.Fault) func(blocktest.Op) blocktest.Fault {
	return func(op blocktest.Op) blocktest.Fault {
		if op.Kind == kind && strings.HasSuffix(op.Name, ".blk") {
			return fault()
		}
		return blocktest.Fault{}
	}
}

// TestFailedSyncIsFinalWhateverFailsNext: after a failed sync the system may take
// pages for clean that are not on the disk. What the sync should have covered is
// cut, also when a write fails before or after it.
func TestFailedSyncIsFinalWhateverFailsNext(t *testing.T) {
	s, files := faulty(t, actors.Config{Sync: actors.SyncInterval, SyncEvery: 20 * time.Millisecond, NoPreallocation: true})
	_, err := s.StoreMsg(t.Context(), "a", nil, []byte("synced"))
	require.NoError(t, err)
	require.NoError(t, s.Flush(t.Context()))

	syncing, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var writesFail, healed atomic.Bool
	syncs := onBlocks(blocktest.OpSync, func() blocktest.Fault {
		once.Do(func() { close(syncing) })
		return blocktest.Fault{Err: blocktest.ErrIO, Wait: func() { <-release }}
	})
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch {
		case healed.Load():
		case op.Kind == blocktest.OpSync:
			return syncs(op)
		case op.Kind == blocktest.OpWrite && writesFail.Load() && strings.HasSuffix(op.Name, ".blk"):
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	for range 5 {
		_, err = s.StoreMsg(t.Context(), "a", nil, []byte("written"))
		require.NoError(t, err)
	}
	<-syncing
	writesFail.Store(true)
	_, err = s.StoreMsg(t.Context(), "a", nil, []byte("not written"))
	require.ErrorIs(t, err, actors.ErrFailed)
	close(release)
	healed.Store(true)
	eventually(t, recovered(s))
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), state.Messages)
	require.Equal(t, uint64(6), state.LastSequence, "sequences that were given out are not given out again")
	kept, err := files.ReadDir(filepath.Join("streams", s.Name(), "lost+found"))
	require.NoError(t, err)
	require.NotEmpty(t, kept, "what is cut off is kept aside")
}

// TestFailedCreateCostsNothingThatWasWritten: a disk that has no room for the next
// block has lost nothing of the ones before.
func TestFailedCreateCostsNothingThatWasWritten(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval} {
		t.Run(level.String(), func(t *testing.T) {
			s, files := faulty(t, actors.Config{Sync: level, SyncEvery: time.Hour, BlockSize: 4096})
			var failed atomic.Bool
			files.SetHook(onBlocks(blocktest.OpCreate, func() blocktest.Fault {
				if s.Stats().LastSequence > 5 && failed.CompareAndSwap(false, true) {
					return blocktest.Fault{Err: blocktest.ErrNoSpace}
				}
				return blocktest.Fault{}
			}))
			acknowledged := uint64(0)
			for !failed.Load() {
				if _, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 100)); err == nil {
					acknowledged++
				}
			}
			eventually(t, recovered(s))
			state, err := s.FastState(t.Context())
			require.NoError(t, err)
			require.Equal(t, acknowledged, state.Messages)
		})
	}
}

// TestFileThatCannotBeRemovedDoesNotStopWrites: there is only too much on the disk
// until it can.
func TestFileThatCannotBeRemovedDoesNotStopWrites(t *testing.T) {
	s, files := faulty(t, actors.Config{BlockSize: 4096, MaxMsgs: 20})
	files.SetHook(onBlocks(blocktest.OpRemove, func() blocktest.Fault { return blocktest.Fault{Err: blocktest.ErrIO} }))
	for range 500 {
		_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 100))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return files.CountOf(blocktest.OpRemove) > 0 })
	stats := s.Stats()
	require.Equal(t, uint64(20), stats.Messages)
	require.Zero(t, stats.Failures)
	files.SetHook(nil)
	eventually(t, func() bool {
		entries, err := files.ReadDir(filepath.Join("streams", s.Name(), "msgs"))
		require.NoError(t, err)
		return len(entries) <= 3
	})
}

// TestRemovedStaysRemovedThroughAFailure: readers have seen the first sequence
// rise; a recovery from files that never heard of it does not lower it.
func TestRemovedStaysRemovedThroughAFailure(t *testing.T) {
	s, files := faulty(t, actors.Config{Sync: actors.SyncNever, MaxMsgs: 10})
	store := func() {
		for range 20 {
			_, err := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
			require.NoError(t, err)
		}
	}
	store()
	require.NoError(t, s.Flush(t.Context()))
	gate := make(chan struct{})
	var healed atomic.Bool
	files.SetHook(onBlocks(blocktest.OpWrite, func() blocktest.Fault {
		if healed.Load() {
			return blocktest.Fault{}
		}
		return blocktest.Fault{Err: blocktest.ErrIO, Wait: func() { <-gate }}
	}))
	store()
	require.Equal(t, uint64(31), s.Stats().FirstSequence)
	close(gate)
	eventually(t, func() bool { return s.Stats().Failures > 0 })
	healed.Store(true)
	eventually(t, recovered(s))
	_, err := s.LoadMsg(t.Context(), 15)
	require.ErrorIs(t, err, actors.ErrNotFound)
	stats := s.Stats()
	require.GreaterOrEqual(t, stats.FirstSequence, uint64(31))
	require.Equal(t, uint64(30), stats.RemovedMsgs, "and is not counted again")
}

// TestStopFinishesWhatIsOut: what SyncNever has acknowledged is written although
// the context of the stop has ended while a background sync was on its way.
func TestStopFinishesWhatIsOut(t *testing.T) {
	for range 20 {
		memory := blocktest.NewMemFS()
		files := blocktest.NewFaultFS(memory)
		config := actors.Config{
			Dir: "streams", Name: "S", FS: files, Sync: actors.SyncNever, BlockSize: 4096, MaxMsgs: 30,
			Runtime: actors.NewRuntime(actors.RuntimeConfig{}),
		}
		s, err := actors.Open(t.Context(), quiet, config)
		require.NoError(t, err)
		syncing := make(chan struct{}, 1)
		files.SetHook(onBlocks(blocktest.OpSync, func() blocktest.Fault {
			return blocktest.Fault{Wait: func() {
				select {
				case syncing <- struct{}{}:
				default:
				}
			}}
		}))
		last := uint64(0)
		for done := false; !done; {
			ack, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 100))
			require.NoError(t, err)
			last = ack.Sequence
			select {
			case <-syncing:
				done = true
			default:
			}
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Stop(ended)       // it says that its context has ended, or nothing
		_ = s.Stop(t.Context()) // the first waits for the disk no longer than a second
		files.SetHook(nil)
		s, err = actors.Open(t.Context(), quiet, config)
		require.NoError(t, err)
		require.Equal(t, last, s.Stats().LastSequence)
		require.NoError(t, s.Stop(t.Context()))
	}
}

// TestReadersSeeOneStreamWhileRecoveryFails: until the disk has room again, the state, a
// count and a scan tell of the same messages, those that readers had seen before.
func TestReadersSeeOneStreamWhileRecoveryFails(t *testing.T) {
	s, files := faulty(t, actors.Config{Sync: actors.SyncInterval, SyncEvery: time.Hour, RetryMax: time.Millisecond})
	for n := range 26 {
		if n == 20 {
			require.NoError(t, s.Flush(t.Context()))
		}
		_, err := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
		require.NoError(t, err)
	}
	var creates atomic.Int64
	var flushed atomic.Bool
	full := onBlocks(blocktest.OpCreate, func() blocktest.Fault {
		creates.Add(1)
		return blocktest.Fault{Err: blocktest.ErrNoSpace}
	})
	syncs := onBlocks(blocktest.OpSync, func() blocktest.Fault { return blocktest.Fault{Err: blocktest.ErrIO} })
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if fault := full(op); fault.Err != nil || flushed.Load() { // attempts to recover sync, too
			return fault
		}
		return syncs(op)
	})
	require.ErrorIs(t, s.Flush(t.Context()), actors.ErrFailed)
	flushed.Store(true)
	agree := func(messages uint64) {
		t.Helper()
		state, err := s.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, messages, state.Messages)
		deleted := uint64(0)
		for range actors.Sequences(state.DeletedRanges) {
			deleted++
		}
		require.Equal(t, state.Deleted, deleted)
		pending, _, err := s.NumPending(t.Context(), state.FirstSequence)
		require.NoError(t, err)
		require.Equal(t, messages, pending)
		scanned := uint64(0)
		for _, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			scanned++
		}
		require.Equal(t, messages, scanned)
	}
	for n := range int64(3) {
		eventually(t, func() bool { return creates.Load() > n })
		agree(26)
	}
	require.True(t, s.Stats().Failed)
	files.SetHook(nil)
	eventually(t, recovered(s))
	agree(20)
	require.Equal(t, uint64(26), s.Stats().LastSequence)
}

// forgetfulSyncs makes the first n syncs of a kind, of files with an ending, fail and
// forget what they were for, as Linux does.
func forgetfulSyncs(n int64, kind blocktest.OpKind, ending string) func(blocktest.Op) blocktest.Fault {
	var failed atomic.Int64
	return func(op blocktest.Op) blocktest.Fault {
		if op.Kind == kind && strings.HasSuffix(op.Name, ending) && failed.Add(1) <= n {
			return blocktest.Fault{Err: blocktest.ErrIO, Forget: true}
		}
		return blocktest.Fault{}
	}
}

// TestFailedSyncOfARecoveryLowersTheCut: a write fails, so all that was written before is
// kept; then a sync of the recovery fails, and what it was for must not be taken for
// durable by the attempt after it, whose syncs tell nothing.
func TestFailedSyncOfARecoveryLowersTheCut(t *testing.T) {
	for _, row := range []struct {
		name   string
		kind   blocktest.OpKind
		ending string
	}{
		{"of a block", blocktest.OpSync, ".blk"},
		{"of the directory", blocktest.OpSyncDir, "msgs"},
	} {
		for attempts := range int64(3) {
			t.Run(row.name+", times "+string(rune('0'+attempts)), func(t *testing.T) {
				memory := blocktest.NewMemFS()
				files := blocktest.NewFaultFS(memory)
				config := actors.Config{
					Dir: "streams", Name: "S", FS: files, Sync: actors.SyncInterval, SyncEvery: time.Hour,
					RetryMin: time.Millisecond, Runtime: actors.NewRuntime(actors.RuntimeConfig{}),
				}
				s := open(t, config)
				store := func(n int) (err error) {
					for range n {
						_, storeErr := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
						err = errors.Join(err, storeErr)
					}
					return err
				}
				require.NoError(t, store(5))
				require.NoError(t, s.Flush(t.Context()))
				require.NoError(t, store(5))
				syncs := forgetfulSyncs(attempts, row.kind, row.ending)
				var failed atomic.Bool
				files.SetHook(func(op blocktest.Op) blocktest.Fault {
					if op.Kind == blocktest.OpWrite && strings.HasSuffix(op.Name, ".blk") && failed.CompareAndSwap(false, true) {
						return blocktest.Fault{Err: blocktest.ErrIO}
					}
					return syncs(op)
				})
				require.ErrorIs(t, store(1), actors.ErrFailed)
				eventually(t, recovered(s))
				require.NoError(t, store(1))
				require.NoError(t, s.Flush(t.Context()))
				state, err := s.State(t.Context())
				require.NoError(t, err)
				require.Equal(t, state.LastSequence, state.Durable)

				config.FS, config.Runtime = memory.CrashImage(blocktest.DropUnsynced, nil), actors.NewRuntime(actors.RuntimeConfig{})
				after := open(t, config)
				left, err := after.State(t.Context())
				require.NoError(t, err)
				require.Equal(t, state.Messages, left.Messages, "a flush has returned, and then the power went")
				require.Equal(t, state.LastSequence, left.LastSequence)
				require.Zero(t, left.LostMessages)
			})
		}
	}
}
