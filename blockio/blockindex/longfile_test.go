package blockindex

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestALongFileTakesNoMemory: its header is to be of a file of that length first.
func TestALongFileTakesNoMemory(t *testing.T) {
	for _, once := range []bool{false, true} {
		b := benchBlock(t, 500, 9)
		path := onceBlock(t, blockio.OS, filepath.Join(t.TempDir(), "1.blk"), b)
		require.NoError(t, os.Truncate(Path(path), 1<<30)) // damaged: sparse
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := OpenFile(blockio.OS, path, b.identity(), Options{Once: once})
		require.ErrorIs(t, err, ErrDamaged)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "once %v", once)
	}
}

// TestCloseTwice does no harm.
func TestCloseTwice(t *testing.T) {
	b := benchBlock(t, 500, 9)
	path := onceBlock(t, blockio.OS, filepath.Join(t.TempDir(), "1.blk"), b)
	for _, once := range []bool{false, true} {
		x, err := OpenFile(blockio.OS, path, b.identity(), Options{Once: once})
		require.NoError(t, err)
		require.NoError(t, x.Close())
		require.NotPanics(t, func() { _ = x.Close() }, "once %v", once)
	}
}
