//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
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
