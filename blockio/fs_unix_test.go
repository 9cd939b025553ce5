//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestPipesAreRefused: a pipe with the name of a block does not make anybody wait.
func TestPipesAreRefused(t *testing.T) {
	blocks := NewBlocks(OS, t.TempDir(), "S", BlocksOptions{})
	require.NoError(t, OS.MkdirAll(blocks.Dir()))
	require.NoError(t, unix.Mkfifo(blocks.Path(1), 0o600))
	require.NoError(t, OS.MkdirAll(blocks.Path(2)))
	for _, name := range []string{blocks.Path(1), blocks.Path(2)} {
		for _, mode := range []OpenMode{ModeRead, ModeReadWrite, ModeReplace} {
			_, err := OS.OpenFile(name, mode)
			require.Error(t, err)
			require.ErrorContains(t, err, name)
		}
		_, err := OS.OpenFile(name, ModeRead)
		require.ErrorIs(t, err, ErrNotRegular)
	}
	_, err := blocks.ReadAll(1, nil)
	require.ErrorIs(t, err, ErrNotRegular)
	require.ErrorIs(t, blocks.OpenTail(1, 0), ErrNotRegular)
	source := NewBlockCache(4, 1000).Source(OS, filepath.Dir(blocks.Dir()), "S")
	defer source.Close()
	_, err = source.Lease(BlockRef{ID: 1}, LeaseOptions{})
	require.ErrorIs(t, err, ErrNotRegular)
}

// TestALinkIsListedAsTheFileThatItLeadsTo, as opening it does, so that both say the same of a block that somebody has moved
// elsewhere. What leads to no file is listed as it is.
func TestALinkIsListedAsTheFileThatItLeadsTo(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	there := filepath.Join(elsewhere, "there")
	require.NoError(t, os.WriteFile(there, make([]byte, 12345), 0o600))
	for name, target := range map[string]string{"1.blk": there, "2.blk": filepath.Join(elsewhere, "nothing"), "3.blk": elsewhere} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	entries, err := OS.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	file, err := OS.OpenFile(filepath.Join(dir, "1.blk"), ModeRead)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, errors.Join(err, file.Close()))
	require.Equal(t, FileStat{Size: 12345, ModTime: entries[0].ModTime}, stat)
	require.EqualValues(t, 12345, entries[0].Size)
	for _, e := range entries {
		require.False(t, e.IsDir, "nobody goes into %s to remove what is there", e.Name)
		require.NoError(t, OS.Remove(filepath.Join(dir, e.Name)))
	}
	require.FileExists(t, there)
}
