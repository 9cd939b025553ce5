package blockio_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestSpaceIsThatOfTheFileSystem, on systems that tell it.
func TestSpaceIsThatOfTheFileSystem(t *testing.T) {
	_, err := blockio.SpaceOf(blocktest.NewMemFS(), "data")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	if _, tells := blockio.OS.(blockio.SpaceFS); !tells {
		return
	}
	dir := t.TempDir()
	space, err := blockio.SpaceOf(blockio.OS, dir)
	require.NoError(t, err)
	require.Positive(t, space.Total)
	require.LessOrEqual(t, space.Free, space.Total)
	_, err = blockio.SpaceOf(blockio.OS, filepath.Join(dir, "not there"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
