package blockio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestASettledFolderIsSyncedOnce: and once more after each change of it, and after a sync that has failed.
func TestASettledFolderIsSyncedOnce(t *testing.T) {
	var syncs int
	var failure error
	now := time.Unix(1_000_000, 0)
	look := folderLook{device: 1, inode: 2, changed: now.Add(-time.Hour).UnixNano()}
	told := true
	s := &settledFolders{
		sync: func(string) error { syncs++; return failure },
		look: func(string) (folderLook, bool) { return look, told },
		now:  func() time.Time { return now },
	}
	settle := func(want int, why string) {
		t.Helper()
		syncs = 0
		require.Equal(t, failure, s.settle("a"))
		require.Equal(t, want, syncs, why)
	}
	settle(1, "nobody has synced it")
	settle(0, "it is as it was")
	look.changed = now.UnixNano()
	settle(1, "a name was given in it")
	settle(1, "another may have been given at the same tick of the clock")
	look.inode++
	look.changed = now.Add(-settleTime - 1).UnixNano()
	failure = errors.New("broken")
	settle(1, "it is another folder")
	settle(1, "it could not be synced")
	failure = nil
	settle(1, "it could not be synced")
	settle(0, "it could be now")
	told = false
	settle(1, "nothing is known of it")
	told, look.changed = true, now.Add(time.Hour).UnixNano()
	settle(1, "its clock is ahead")
	settle(1, "its clock is ahead")
}

// TestAFolderThatChangesWhileItIsSyncedIsSyncedAgain: what counts is how it was before the sync began.
func TestAFolderThatChangesWhileItIsSyncedIsSyncedAgain(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	look := folderLook{changed: now.Add(-time.Hour).UnixNano()}
	syncs := 0
	s := &settledFolders{
		sync: func(string) error {
			if syncs++; syncs == 1 {
				look.changed += int64(time.Minute)
			}
			return nil
		},
		look: func(string) (folderLook, bool) { return look, true },
		now:  func() time.Time { return now },
	}
	for range 3 {
		require.NoError(t, s.settle("a"))
	}
	require.Equal(t, 2, syncs)
}

// TestSettledFoldersAreBounded: a process may open streams in ever more places.
func TestSettledFoldersAreBounded(t *testing.T) {
	s := &settledFolders{sync: func(string) error { return nil }, look: func(string) (folderLook, bool) { return folderLook{}, true }, now: time.Now}
	for i := range 3 * mostSettled {
		require.NoError(t, s.settle(fmt.Sprint(i)))
	}
	require.LessOrEqual(t, len(s.known), mostSettled)
}

// TestALookAtAFolderShowsNewNames: of a file, a folder, one that is renamed, and one that is removed, once the clock of the file
// system has ticked.
func TestALookAtAFolderShowsNewNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nothing is told of folders there
	}
	root := t.TempDir()
	dir, clock := filepath.Join(root, "dir"), filepath.Join(root, "clock")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Mkdir(clock, 0o700))
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, change := range []func() error{
		func() error { return os.Mkdir(in("a"), 0o700) },
		func() error { return os.WriteFile(in("b"), nil, 0o600) },
		func() error { return os.Rename(in("b"), in("c")) },
		func() error { return os.Remove(in("c")) },
	} {
		before, ok := lookAtFolder(dir)
		require.True(t, ok)
		require.Eventually(t, func() bool {
			require.NoError(t, os.Chtimes(clock, time.Time{}, time.Unix(1, 0)))
			now, ok := lookAtFolder(clock)
			return ok && now.changed > before.changed
		}, 10*time.Second, time.Millisecond)
		require.NoError(t, change())
		after, ok := lookAtFolder(dir)
		require.True(t, ok)
		require.NotEqual(t, before, after)
	}
	_, ok := lookAtFolder(in("none"))
	require.False(t, ok)
}

// TestAFolderWithoutTimesIsNeverSettled: the root of a FAT file system has no times (fat_truncate_time), nor do folders of many FUSE file systems.
func TestAFolderWithoutTimesIsNeverSettled(t *testing.T) {
	syncs := 0
	s := &settledFolders{
		sync: func(string) error { syncs++; return nil },
		look: func(string) (folderLook, bool) { return folderLook{device: 1, inode: 1, changed: 0}, true },
		now:  time.Now,
	}
	require.NoError(t, s.settle("/mnt/usb"))
	require.NoError(t, s.settle("/mnt/usb")) // somebody has made a folder in it since
	require.Equal(t, 2, syncs)
}
