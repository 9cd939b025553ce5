package raftstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// failing opens a Store on a disk that can fail.
func failing(t *testing.T, patience time.Duration) (*Store, *blocktest.FaultFS) {
	t.Helper()
	fsys := blocktest.NewFaultFS(blocktest.NewMemFS())
	config := testConfig(fsys, "/raft")
	config.Patience = patience
	config.Stream.RetryMin, config.Stream.RetryMax = time.Millisecond, time.Millisecond
	s, err := Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() }) // the disk may still fail
	return s, fsys
}

// failWrites fails everything that would make something durable, after so many more that succeed.
func failWrites(fsys *blocktest.FaultFS, after int64) {
	var seen atomic.Int64
	fsys.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch op.Kind {
		case blocktest.OpWrite, blocktest.OpSync, blocktest.OpSyncDir, blocktest.OpRename, blocktest.OpOpen:
			if seen.Add(1) > after {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
		}
		return blocktest.Fault{}
	})
}

// TestAFaultThatPassesIsNotSeen fails one operation of the disk, each in turn, below a store of entries, a truncation, a
// deletion of the head and a vote: raft sees none of it.
func TestAFaultThatPassesIsNotSeen(t *testing.T) {
	for at := range int64(24) {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			s, fsys := failing(t, time.Minute)
			require.NoError(t, s.StoreLogs(entries(1, 40, 1)))
			var seen atomic.Int64
			fsys.SetHook(func(blocktest.Op) blocktest.Fault {
				if seen.Add(1) == at+1 {
					return blocktest.Fault{Err: blocktest.ErrIO}
				}
				return blocktest.Fault{}
			})
			require.NoError(t, s.StoreLogs(entries(41, 60, 1)))
			require.NoError(t, s.DeleteRange(51, 60))
			require.NoError(t, s.SetUint64([]byte("CurrentTerm"), 2))
			require.NoError(t, s.DeleteRange(1, 10))
			require.NoError(t, s.StoreLogs(entries(51, 55, 2)))
			requireLog(t, s, append(entries(11, 50, 1), entries(51, 55, 2)...))
			term, err := s.GetUint64([]byte("CurrentTerm"))
			require.NoError(t, err)
			require.EqualValues(t, 2, term)
		})
	}
}

// TestWhatMayHaveBeenStoredGivesWay has a disk fail for longer than the patience, at each operation below a store: raft
// is told, sees the log as it was, and stores other entries in the place of those when the disk works again. What is
// there then is these, also after the log is opened again.
func TestWhatMayHaveBeenStoredGivesWay(t *testing.T) {
	for after := range int64(4) {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			s, fsys := failing(t, -1)
			require.NoError(t, s.StoreLogs(entries(1, 10, 1)))
			failWrites(fsys, after)
			var err error
			last := uint64(10)
			for err == nil { // the first ones may go through
				if err = s.StoreLogs(entries(last+1, last+5, 1)); err == nil {
					last += 5
				}
			}
			require.ErrorIs(t, err, actors.ErrFailed)
			require.ErrorIs(t, err, blocktest.ErrIO)
			kept := entries(1, last, 1)
			requireLog(t, s, kept)
			require.ErrorIs(t, s.StoreLogs(entries(last+1, last+2, 2)), actors.ErrFailed)
			require.ErrorIs(t, s.DeleteRange(last, last), actors.ErrFailed)
			fsys.SetHook(nil)
			require.NoError(t, s.Log().Ready(t.Context()))
			requireLog(t, s, kept) // whatever the recovery has found
			kept = append(kept, entries(last+1, last+3, 2)...)
			require.NoError(t, s.StoreLogs(kept[last:]))
			requireLog(t, s, kept)
			require.NoError(t, s.Close())
			s = openTest(t, fsys, "/raft")
			requireLog(t, s, kept)
		})
	}
}

// TestAStoreThatDidHappenIsCutOff makes sure of the case that cutting is for: the entries are in the log, and raft was
// told that they are not.
func TestAStoreThatDidHappenIsCutOff(t *testing.T) {
	s, fsys := failing(t, -1)
	require.NoError(t, s.StoreLogs(entries(1, 10, 1)))
	_, err := s.append(t.Context(), entries(11, 20, 1))
	require.NoError(t, err)
	s.unsure.Store(11) // as if the answer had been lost
	requireLog(t, s, entries(1, 10, 1))
	committed, err := s.GetCommitIndex()
	require.NoError(t, err)
	require.Zero(t, committed)
	require.NoError(t, s.StoreLogs(entries(11, 12, 2)))
	want := append(entries(1, 10, 1), entries(11, 12, 2)...)
	requireLog(t, s, want)
	require.NoError(t, s.Close())
	requireLog(t, openTest(t, fsys, "/raft"), want)
}

// TestTheFirstEntriesMayBeUnsure is the same in a log that was empty.
func TestTheFirstEntriesMayBeUnsure(t *testing.T) {
	for _, first := range []uint64{1, 700} {
		s, fsys := failing(t, -1)
		_, err := s.Log().Compact(t.Context(), first)
		require.NoError(t, err)
		_, err = s.append(t.Context(), entries(first, first+5, 1))
		require.NoError(t, err)
		s.unsure.Store(first)
		requireLog(t, s, nil)
		require.NoError(t, s.StoreLogs(entries(20, 25, 2)))
		requireLog(t, s, entries(20, 25, 2))
		require.NoError(t, s.Close())
		requireLog(t, openTest(t, fsys, "/raft"), entries(20, 25, 2))
	}
}

// TestPowerLossKeepsWhatWasPromised runs random work of raft's on a disk that loses power at a random moment, and
// compares what is there afterwards with a model: all that was returned from, and of what was under way all or nothing.
func TestPowerLossKeepsWhatWasPromised(t *testing.T) {
	crashes := 300
	if testing.Short() {
		crashes = 60
	}
	for seed := range int64(crashes) {
		random := rand.New(rand.NewSource(seed))
		memory := blocktest.NewMemFS()
		faulty := blocktest.NewFaultFS(memory)
		config := testConfig(faulty, "/raft")
		config.Patience, config.Stream.NoRecovery = -1, true
		s, err := Open(t.Context(), config)
		require.NoError(t, err)
		promised := model{terms: map[uint64]uint64{}}
		faulty.SetHook(blocktest.CrashAt(faulty.Count() + random.Intn(200)))
		var step func(*model)
		for err == nil {
			var do func(*Store) error
			do, step = promised.next(random)
			if err = do(s); err == nil {
				step(&promised)
			}
		}
		require.True(t, faulty.Crashed(), "seed %d: %v", seed, err)
		_ = s.Close()
		mode := blocktest.CrashModes[random.Intn(len(blocktest.CrashModes))]
		s, err = Open(t.Context(), testConfig(memory.CrashImage(mode, random), "/raft"))
		require.NoError(t, err, "seed %d, %v", seed, mode)
		before := promised.compare(s)
		step(&promised)
		if after := promised.compare(s); before != nil && after != nil {
			t.Errorf("seed %d, %v: neither as before the last operation (%v) nor as after it (%v)", seed, mode, before, after)
		}
		require.NoError(t, s.Close())
	}
}

// TestDamageIsRefused flips a byte of an entry in a full block: Open says which is lost, and with AcceptLoss the others are
// there.
func TestDamageIsRefused(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	require.NoError(t, s.StoreLogs(entries(1, 200, 1)))
	require.NoError(t, s.Close())
	spoilEntry(t, fsys, 20)

	_, err := Open(t.Context(), testConfig(fsys, "/raft"))
	require.ErrorIs(t, err, ErrLoss)
	require.ErrorIs(t, err, actors.ErrCorrupt)
	config := testConfig(fsys, "/raft")
	config.AcceptLoss = true
	s, err = Open(t.Context(), config)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	last, err := s.LastIndex()
	require.NoError(t, err)
	require.EqualValues(t, 200, last)
	require.ErrorIs(t, s.GetLog(20, new(raft.Log)), actors.ErrCorrupt)
	require.False(t, errors.Is(s.GetLog(20, new(raft.Log)), raft.ErrLogNotFound))
	require.NoError(t, s.GetLog(21, new(raft.Log)))
}

// TestRemovedEntriesAreRefused removes a message from the middle of the log, as a tool might.
func TestRemovedEntriesAreRefused(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	require.NoError(t, s.StoreLogs(entries(1, 9, 1)))
	_, err := s.Log().RemoveMsg(t.Context(), 5)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(t.Context(), testConfig(fsys, "/raft"))
	require.ErrorIs(t, err, ErrLoss)
}

// spoilEntry flips a bit in the payload of the entry of an index, in the file of the block that has it.
func spoilEntry(t *testing.T, fsys *blocktest.MemFS, index uint64) {
	t.Helper()
	dir, found := "/raft/raft-log/msgs", false
	files, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range files {
		if path.Ext(file.Name) != ".blk" {
			continue
		}
		require.NoError(t, fsys.Rot(path.Join(dir, file.Name), func(content []byte) []byte {
			if at := bytes.Index(content, entry(index, 1).Data); at >= 0 {
				content[at], found = content[at]^1, true
			}
			return content
		}))
	}
	require.True(t, found)
}
