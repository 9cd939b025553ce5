package blockio_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func TestPathsOfBlocks(t *testing.T) {
	dir := filepath.Join("a", "S")
	require.Equal(t, filepath.Join("a", "S", "msgs"), blockio.BlocksDir(dir))
	require.Equal(t, filepath.Join("a", "S", "msgs", "4294967295.blk"), blockio.BlockPath(dir, 1<<32-1))
	blocks := blockio.NewBlocks(blocktest.NewMemFS(), dir, "S", blockio.BlocksOptions{})
	require.Equal(t, blockio.BlocksDir(dir), blocks.Dir())
	require.Equal(t, blockio.BlockPath(dir, 7), blocks.Path(7))
}

func TestLengthsThatLookCompressed(t *testing.T) {
	for length, want := range map[uint32]bool{
		7368035: true, 24145251: true, 7368035 | 1<<31: true, 7368036: false, 30: false, 7368035 >> 8: false,
	} {
		require.Equal(t, want, blockio.LooksCompressed(length), "%d", length)
	}
}
