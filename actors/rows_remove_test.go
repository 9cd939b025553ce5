package actors_test

import (
	"context"
	"encoding/binary"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// removal is RemoveMsg or EraseMsg.
type removal func(ctx context.Context, sequence uint64) (bool, error)

// removeBehaves runs a row of both.
func removeBehaves(t *testing.T, name string, set func(*actors.Config), do func(r *world, remove removal, erases bool)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		behave(t, set, func(r *world) { do(r, r.s.RemoveMsg, false) })
		behave(t, set, func(r *world) { do(r, r.s.EraseMsg, true) })
	})
}

// wants calls a removal.
func (r *world) wants(remove removal, sequence uint64, removed bool, err error) {
	r.Helper()
	got, failure := remove(r.Context(), sequence)
	require.ErrorIs(r, failure, err)
	require.Equal(r, removed, got)
}

// fileHas reports whether any file of the stream has some bytes.
func (r *world) fileHas(text string) bool {
	r.Helper()
	dir := filepath.Join(r.config.Dir, r.config.Name, "msgs")
	entries, err := r.config.FS.ReadDir(dir)
	require.NoError(r, err)
	for _, entry := range entries {
		file, err := r.config.FS.OpenFile(filepath.Join(dir, entry.Name), blockio.ModeRead)
		require.NoError(r, err)
		data, err := io.ReadAll(io.NewSectionReader(file, 0, entry.Size))
		require.NoError(r, err)
		require.NoError(r, file.Close())
		if strings.Contains(string(data), text) {
			return true
		}
	}
	return false
}

// TestRowsOfRemove are the rows of removing and erasing one message.
func TestRowsOfRemove(t *testing.T) {
	removeBehaves(t, "B.3 remove: a live message", nil, func(r *world, remove removal, _ bool) {
		r.foo(12)
		r.wants(remove, 5, true, nil)
		r.stays("11 11000 1@1 12@12 [5] 2")
	})
	removeBehaves(t, "B.3 remove: already deleted, between the first and the last", nil, func(r *world, remove removal, _ bool) {
		r.foo(12)
		r.wants(remove, 5, true, nil)
		r.wants(remove, 5, false, nil)
		_, err := r.s.Skip(r.Context(), 0, 1)
		require.NoError(r, err)
		r.wants(remove, 13, false, nil)
		r.stays("11 11000 1@1 13@12 [5 13] 2")
	})
	removeBehaves(t, "B.3 remove: below the first", nil, func(r *world, remove removal, erases bool) {
		r.foo(12)
		r.wants(remove, 1, true, nil)
		if erases {
			r.wants(remove, 1, false, nil) // its record is there, and may have been removed without being erased
			r.removes(10)(r.s.Compact(r.Context(), 12))
		}
		r.wants(remove, 1, false, actors.ErrNotFound)
	})
	removeBehaves(t, "B.3 remove: sequence 0", nil, func(r *world, remove removal, _ bool) {
		r.wants(remove, 0, false, actors.ErrNotFound)
		r.foo(12)
		r.wants(remove, 0, false, actors.ErrNotFound)
		r.stays("12 12000 1@1 12@12 [] 2")
	})
	removeBehaves(t, "B.3 remove: above the last", nil, func(r *world, remove removal, _ bool) {
		r.wants(remove, 1, false, actors.ErrEOF)
		r.is("0 0 0@- 0@- [] 0")
		r.foo(2)
		r.wants(remove, 3, false, actors.ErrEOF)
		r.removes(2)(r.s.Purge(r.Context()))
		r.wants(remove, 3, false, actors.ErrEOF)
		r.stays("0 0 3@- 2@2 [] 0")
	})
	removeBehaves(t, "B.3 remove: of an empty stream, up to the last", nil, func(r *world, remove removal, _ bool) {
		r.foo(3)
		r.removes(3)(r.s.Purge(r.Context()))
		for sequence := uint64(1); sequence <= 3; sequence++ {
			r.wants(remove, sequence, false, actors.ErrNotFound)
		}
		r.stays("0 0 4@- 3@3 [] 0")
	})
	removeBehaves(t, "B.3 remove: closed", nil, func(r *world, remove removal, _ bool) {
		r.foo(2)
		r.stop()
		r.wants(remove, 1, false, actors.ErrStopped)
		r.wants(remove, 0, false, actors.ErrStopped)
		r.wants(remove, 3, false, actors.ErrStopped)
	})
	removeBehaves(t, "B.3 remove: the first moves the first to the next live one", nil, func(r *world, remove removal, _ bool) {
		r.foo(12)
		r.wants(remove, 2, true, nil)
		r.wants(remove, 3, true, nil)
		r.wants(remove, 6, true, nil)
		r.wants(remove, 1, true, nil)
		r.stays("8 8000 4@4 12@12 [6] 2")
	})
	removeBehaves(t, "B.3 remove: a subject vanishes with its last message", nil, func(r *world, remove removal, _ bool) {
		r.put("a", "b", "b")
		r.wants(remove, 2, true, nil)
		r.stays("2 2000 1@1 3@3 [2] 2")
	})
	removeBehaves(t, "B.3 remove: the last live one leaves the stream empty", nil, func(r *world, remove removal, _ bool) {
		r.put("a", "b")
		r.wants(remove, 1, true, nil)
		r.wants(remove, 2, true, nil)
		r.stays("0 0 3@- 2@2 [] 0")
	})
	removeBehaves(t, "B.3 remove: the newest stays the last sequence, with its time", nil, func(r *world, remove removal, _ bool) {
		r.foo(10) // the newest has a block of its own
		r.wants(remove, 10, true, nil)
		r.stays("9 9000 1@1 10@10 [10] 2")
		r.put("foo.A")
		r.stays("10 10000 1@1 11@11 [10] 2")
	})
	removeBehaves(t, "B.3 remove: a TTL goes with its message", func(c *actors.Config) { c.AllowMsgTTL = actors.On }, func(r *world, remove removal, _ bool) {
		mustStoreFor(r.T, r.s, "a", time.Minute)
		r.put("b")
		r.wants(remove, 1, true, nil)
		r.wakesNobody(time.Hour)
		require.Zero(r, r.s.Stats().RemovedTTL)
	})
	removeBehaves(t, "B.3 remove: a notice with the arguments of the message", nil, func(r *world, remove removal, _ bool) {
		r.foo(3)
		r.listen()
		r.wants(remove, 2, true, nil)
		r.hears("removed -1 -1000 2 foo.B")
		r.wants(remove, 2, false, nil)
		r.wants(remove, 9, false, actors.ErrEOF)
		r.hears()
	})
	removeBehaves(t, "B.3 remove: outlives the block of its record", nil, func(r *world, remove removal, _ bool) {
		r.foo(8)
		r.wants(remove, 2, true, nil) // its record is in the third block
		r.put("c", "c", "c", "c", "c")
		for sequence := uint64(5); sequence <= 12; sequence++ {
			r.wants(remove, sequence, true, nil)
		}
		waitFor(time.Minute)
		require.Zero(r, r.blockBytes(3))
		r.stays("4 4000 1@1 13@13 [2 5 6 7 8 9 10 11 12] 3")
	})
	removeBehaves(t, "B.3 remove: outlives a compaction of blocks", func(c *actors.Config) { c.CompactBelow = 90 }, func(r *world, remove removal, _ bool) {
		r.foo(12)
		r.wants(remove, 2, true, nil)
		r.wants(remove, 5, true, nil)
		r.wants(remove, 6, true, nil)
		waitFor(time.Minute)
		require.Less(r, r.blockBytes(1), int64(3500))
		r.stays("9 9000 1@1 12@12 [2 5 6] 2")
	})
	behaves(t, "B.3 erase: the bytes are overwritten when it returns", nil, func(r *world) {
		sequence := storeSecret(r.T, r.s)
		r.put("a")
		for _, secret := range secrets {
			require.True(r, r.fileHas(secret))
		}
		r.wants(r.s.EraseMsg, sequence, true, nil)
		for _, secret := range secrets {
			require.False(r, r.fileHas(secret))
		}
	})
	behaves(t, "B.3 erase: the sequence is marked as erased", nil, func(r *world) {
		r.foo(3)
		r.wants(r.s.EraseMsg, 2, true, nil)
		erased := binary.LittleEndian.AppendUint64(nil, 2|1<<63)
		require.True(r, r.fileHas(string(erased)))
		r.stays("2 2000 1@1 3@3 [2] 1")
	})
	behaves(t, "B.3 erase: of a message that was removed before", nil, func(r *world) {
		sequence := storeSecret(r.T, r.s)
		r.put("a")
		r.wants(r.s.RemoveMsg, sequence, true, nil)
		require.True(r, r.fileHas(secrets[2]))
		r.wants(r.s.EraseMsg, sequence, false, nil)
		for _, secret := range secrets {
			require.False(r, r.fileHas(secret))
		}
	})
}

// TestRowsOfFailedStores is the row of removing anything after a write has failed.
func TestRowsOfFailedStores(t *testing.T) {
	t.Run("B.3 failed: everything is refused, reads go on, and an open ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			config := actors.Config{Dir: "data", FS: files, NoRecovery: true}
			s := openToFail(t, config)
			for range 3 {
				mustStore(t, s, "a", "")
			}
			files.SetHook(blocktest.FailFrom(0, blocktest.ErrNoSpace, blocktest.OpWrite))
			_, err := s.StoreMsg(t.Context(), "a", nil, nil)
			require.ErrorIs(t, err, actors.ErrFailed)
			files.SetHook(nil)
			ctx := t.Context()
			for name, call := range map[string]func() error{
				"RemoveMsg":    func() error { _, err := s.RemoveMsg(ctx, 2); return err },
				"EraseMsg":     func() error { _, err := s.EraseMsg(ctx, 2); return err },
				"Purge":        func() error { _, err := s.Purge(ctx); return err },
				"PurgeEx":      func() error { _, err := s.PurgeEx(ctx, actors.Filter("a"), 0, 0); return err },
				"Compact":      func() error { _, err := s.Compact(ctx, 2); return err },
				"Truncate":     func() error { _, err := s.Truncate(ctx, 1); return err },
				"Truncate(0)":  func() error { _, err := s.Truncate(ctx, 0); return err },
				"SyncDeleted":  func() error { _, err := s.SyncDeleted(ctx, []actors.SequenceRange{{First: 1, Last: 2}}); return err },
				"UpdateConfig": func() error { return s.UpdateConfig(ctx, actors.Config{Name: "ORDERS", MaxMsgs: 1}) },
			} {
				err := call()
				require.ErrorIs(t, err, actors.ErrFailed, name)
				require.NotErrorIs(t, err, actors.ErrOutcomeUnknown, name)
			}
			require.Equal(t, sequences(1, 3), liveOf(t, s))
			require.Error(t, s.Stop(ctx))
			s = open(t, config)
			require.Equal(t, uint64(3), stateOf(t, s).Messages)
			mustRemove(t, s, 2)
			require.NoError(t, s.Stop(ctx))
		})
	})
}
