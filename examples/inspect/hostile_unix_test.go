//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostileDirectories: what is in the place of a file keeps no command waiting, and is named. Opening a pipe would wait
// for ever for somebody at its other end.
func TestHostileDirectories(t *testing.T) {
	pipe := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	folder := func(path string) error { return os.Mkdir(path, 0o700) }
	sample := stopped(t, nil)
	endless := func(path string) error { return os.Symlink("/dev/zero", path) }
	for _, name := range []string{"meta.inf", "meta.sum", "msgs", "msgs/1.blk", "msgs/1.bix", "msgs/index.db", "msgs/thw.db", "obs", "millrace.lock", "lost+found"} {
		for what, put := range map[string]func(string) error{"pipe": pipe, "folder": folder, "endless": endless} {
			t.Run(name+"/"+what, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "ORDERS")
				require.NoError(t, os.CopyFS(dir, os.DirFS(sample)))
				path := filepath.Join(dir, filepath.FromSlash(name))
				require.NoError(t, os.RemoveAll(path))
				require.NoError(t, put(path))
				before := treeOfNames(t, dir)
				for _, arguments := range [][]string{{"ls", dir}, {"info", dir}, {"verify", dir}, {"blocks", dir}, {"dump", dir}, {"tail", dir}, {"repair", dir}} {
					out, errOut, code := inspect(t, arguments...)
					require.NotEqual(t, exitUsage, code)
					require.False(t, out+errOut == "" && code != exitDone, "%v: %d without a word", arguments, code)
				}
				require.Equal(t, before, treeOfNames(t, dir))
			})
		}
	}
}

// treeOfNames is what is in a directory, without opening any of it.
func treeOfNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		names = append(names, path+" "+info.Mode().String())
		return nil
	}))
	return names
}
