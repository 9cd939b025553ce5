package blockio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWhatDescribesABlockGoesWithIt, and what is left of it is found: of blocks that are
// not there, and of files that were being written.
func TestWhatDescribesABlockGoesWithIt(t *testing.T) {
	files := blocktest.NewMemFS()
	require.NoError(t, files.MkdirAll("s/msgs"))
	for _, name := range []string{
		"1.blk", "1.bix", "2.blk", "2.bix", "2.bix.tmp", "3.bix", "04.bix", "x.bix", "5.bixx", "index.db", "6.blk.tmp",
	} {
		f, err := files.OpenFile("s/msgs/"+name, blockio.ModeCreate)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	blocks := blockio.NewBlocks(files, "s", "S", blockio.BlocksOptions{Beside: []string{".bix"}})
	names := func() (list []string) {
		entries, err := files.ReadDir("s/msgs")
		require.NoError(t, err)
		for _, entry := range entries {
			list = append(list, entry.Name)
		}
		return list
	}
	require.NoError(t, blocks.Remove(1))
	require.NotContains(t, names(), "1.bix")
	removed, err := blocks.RemoveOrphans(func(id uint32) bool { return false })
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	require.ElementsMatch(t, []string{"2.blk", "2.bix", "04.bix", "x.bix", "5.bixx", "index.db", "6.blk.tmp"}, names())
}
