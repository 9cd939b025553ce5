package blockio

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadStateFile returns what is in the file, if there is one.
func TestReadStateFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, OS.MkdirAll(BlocksDir(dir)))
	b := NewBlocks(OS, dir, "S", BlocksOptions{})
	data, err := b.ReadStateFile()
	require.NoError(t, err)
	require.Nil(t, data, "there is none")
	name := filepath.Join(BlocksDir(dir), StateFile)
	require.NoError(t, os.WriteFile(name, []byte("state"), 0o600))
	data, err = b.ReadStateFile()
	require.NoError(t, err)
	require.Equal(t, "state", string(data))
	require.NoError(t, os.Truncate(name, maxStateFile+1))
	_, err = b.ReadStateFile()
	require.ErrorIs(t, err, ErrTooLarge)
}
