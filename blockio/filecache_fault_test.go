package blockio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAFileThatCouldNotBeOpenedIsTriedAgain: a failure is told to who asked, and not kept.
func TestAFileThatCouldNotBeOpenedIsTriedAgain(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	require.NoError(t, blockio.ReplaceFile(f, "/a", []byte("text")))
	cache := blockio.NewFileCache(4)
	f.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpOpen {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	for range 10 {
		_, err := cache.Acquire(f, "/a")
		require.ErrorIs(t, err, blocktest.ErrIO)
		require.Zero(t, cache.Open())
	}
	f.SetHook(nil)
	file, err := cache.Acquire(f, "/a")
	require.NoError(t, err)
	data := make([]byte, 4)
	_, err = file.ReadAt(data, 0)
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	file.Release()
	require.NoError(t, cache.Close())
	require.Zero(t, cache.Open())
}
