package blockio_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWhatIsDoneIsDurable: each operation that promises it, right after it has returned, in
// what a loss of power would leave.
func TestWhatIsDoneIsDurable(t *testing.T) {
	const size = 100
	unsynced := func(t *testing.T, blocks *blockio.Blocks) {
		t.Helper()
		require.NoError(t, blocks.Create(1))
		require.NoError(t, blocks.Append(1, 0, [][]byte{make([]byte, size-1), {7}}, false))
	}
	// left is the size of block 1 afterwards; below zero there is none.
	for _, row := range []struct {
		name string
		do   func(t *testing.T, blocks *blockio.Blocks, fsys blockio.FS)
		left int64
	}{
		{"create", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			require.NoError(t, blocks.Create(1))
		}, 0},
		{"append without sync, which promises nothing", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			unsynced(t, blocks)
		}, 0},
		{"append with sync", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			require.NoError(t, blocks.Create(1))
			require.NoError(t, blocks.Append(1, 0, [][]byte{{1}, {2}}, true))
		}, 2},
		{"sync", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Sync(1))
		}, size},
		{"seal", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Seal(1, size))
		}, size},
		{"seal of a block that another process has written", func(t *testing.T, blocks *blockio.Blocks, fsys blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Close())
			require.NoError(t, newBlocks(t, fsys, blockio.BlocksOptions{}).Seal(1, size))
		}, size},
		{"seal that cuts off zeros of another process", func(t *testing.T, blocks *blockio.Blocks, fsys blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Append(1, size, [][]byte{make([]byte, 50)}, true))
			require.NoError(t, blocks.Close())
			require.NoError(t, newBlocks(t, fsys, blockio.BlocksOptions{}).Seal(1, size))
		}, size},
		{"truncate", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Sync(1))
			require.NoError(t, blocks.Truncate(1, 60))
		}, 60},
		{"remove", func(t *testing.T, blocks *blockio.Blocks, _ blockio.FS) {
			unsynced(t, blocks)
			require.NoError(t, blocks.Remove(1))
		}, -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := blocktest.NewMemFS()
			blocks := newBlocks(t, files, blockio.BlocksOptions{})
			require.NoError(t, files.SyncDir("/"))
			require.NoError(t, files.SyncDir("/s"))
			row.do(t, blocks, files)
			left := files.CrashImage(blocktest.DropUnsynced, nil)
			data, err := newBlocks(t, left, blockio.BlocksOptions{}).ReadAll(1, nil)
			if row.left < 0 {
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.Len(t, data, int(row.left))
		})
	}
}

// TestWholeFilesAreDurable when they are replaced, and stay away when they are removed.
func TestWholeFilesAreDurable(t *testing.T) {
	files := blocktest.NewMemFS()
	blocks := newBlocks(t, files, blockio.BlocksOptions{})
	require.NoError(t, files.SyncDir("/"))
	require.NoError(t, files.SyncDir("/s"))
	name := filepath.Join(blocks.Dir(), "index.db")
	content := func() ([]byte, error) {
		file, err := files.CrashImage(blocktest.DropUnsynced, nil).OpenFile(name, blockio.ModeRead)
		if err != nil {
			return nil, err
		}
		stat, err := file.Stat()
		require.NoError(t, err)
		data := make([]byte, stat.Size)
		_, err = file.ReadAt(data, 0)
		require.NoError(t, err)
		return data, file.Close()
	}
	for _, text := range []string{"old", "newer"} {
		require.NoError(t, blockio.ReplaceFile(files, name, []byte(text)))
		data, err := content()
		require.NoError(t, err)
		require.Equal(t, text, string(data))
	}
	require.NoError(t, blocks.RemoveDerived("index.db", "none.db"))
	_, err := content()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestRemoveTriesAllBlocks, also after one that cannot be removed.
func TestRemoveTriesAllBlocks(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	for id := uint32(1); id <= 3; id++ {
		require.NoError(t, blocks.Create(id))
	}
	f.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRemove && filepath.Base(op.Name) == "1.blk" {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	require.ErrorIs(t, blocks.Remove(1, 2, 3), blocktest.ErrIO)
	list, err := blocks.List()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, uint32(1), list[0].ID)
}
