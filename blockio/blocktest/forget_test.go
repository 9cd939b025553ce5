package blocktest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// failSyncs makes syncs of both kinds fail and forget.
func failSyncs(op Op) Fault {
	if op.Kind == OpSync || op.Kind == OpSyncDir {
		return Fault{Err: ErrIO, Forget: true}
	}
	return Fault{}
}

// TestFailedSyncForgets: what it was for reads back, a later sync has nothing to do for it,
// and a loss of power takes it. What is written after that is there.
func TestFailedSyncForgets(t *testing.T) {
	m := NewMemFS()
	f := NewFaultFS(m)
	file := open(t, f, "/a", blockio.ModeCreate)
	writeText(t, file, "one", 0)
	require.NoError(t, file.Sync())
	require.NoError(t, f.SyncDir("/"))

	f.SetHook(failSyncs)
	writeText(t, file, "two", 3)
	require.ErrorIs(t, file.Sync(), ErrIO)
	f.SetHook(nil)
	require.NoError(t, file.Sync())
	require.Equal(t, "onetwo", get(t, f, "/a"))
	for _, mode := range []CrashMode{DropUnsynced, KeepRandom, TornByte} {
		require.Equal(t, set("one"), outcomes(t, m, mode, "/a"), "%v", mode)
		require.Equal(t, set("one"), outcomes(t, m.Fork(), mode, "/a"), "%v", mode)
	}
	require.Equal(t, set("one", "one\x00\x00\x00"), outcomes(t, m, TornSectors, "/a"), "the size may have been kept")
	require.Equal(t, set("onetwo"), outcomes(t, m, KeepAll, "/a"))

	writeText(t, file, "three", 6)
	require.Equal(t, set("one"), outcomes(t, m, DropUnsynced, "/a"))
	require.NoError(t, file.Sync())
	require.Equal(t, set("one\x00\x00\x00three"), outcomes(t, m, DropUnsynced, "/a"))
	require.Equal(t, "onetwothree", get(t, f, "/a"))
}

// TestFailedSyncOfADirectoryForgets which names came and went.
func TestFailedSyncOfADirectoryForgets(t *testing.T) {
	m := NewMemFS()
	f := NewFaultFS(m)
	require.NoError(t, open(t, f, "/old", blockio.ModeCreate).Close())
	require.NoError(t, f.SyncDir("/"))
	f.SetHook(failSyncs)
	require.NoError(t, open(t, f, "/new", blockio.ModeCreate).Close())
	require.NoError(t, f.Remove("/old"))
	require.ErrorIs(t, f.SyncDir("/"), ErrIO)
	f.SetHook(nil)
	require.NoError(t, open(t, f, "/later", blockio.ModeCreate).Close())
	require.NoError(t, f.SyncDir("/"))
	names := func(fsys blockio.FS) (names []string) {
		entries, err := fsys.ReadDir("/")
		require.NoError(t, err)
		for _, entry := range entries {
			names = append(names, entry.Name)
		}
		return names
	}
	require.Equal(t, []string{"later", "new"}, names(f))
	require.Equal(t, []string{"later", "old"}, names(m.CrashImage(DropUnsynced, nil)))
}
