package blockio_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// compress compresses block 1.
func (w *changeWorld) compress(t testing.TB) {
	t.Helper()
	require.NoError(t, blockio.ReplaceFile(w.memory, "/s/msgs/1.blk", blockio.Compress(w.old)))
}

// TestAnErasedMessageOfACompressedBlock: the block is compressed as before, without the message; a crash leaves the old
// one or the new one.
func TestAnErasedMessageOfACompressedBlock(t *testing.T) {
	var offset int64
	var size int
	var old []byte
	eachCrash(t, func(w *changeWorld) error {
		offset, size = w.plant(t)
		w.compress(t)
		old = w.old
		return w.eraseAll(offset, size)
	}, func(image *blocktest.MemFS, done bool) {
		w := newChangeWorld(t)
		w.open(image)
		data, err := w.blocks.ReadAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, old[:offset], data[:offset])
		require.Equal(t, old[int(offset)+size:], data[int(offset)+size:])
		require.Zero(t, blockio.ScanBlock("", 1, w.blocks.Codec(1), data, false, nil).DamageCount)
		intact := bytes.Equal(old, data)
		require.Equal(t, intact, bytes.Contains(data, secret))
		for _, name := range besides {
			require.True(t, intact || !has(t, image, name), "%s beside a block that was changed", name)
		}
		require.False(t, intact && done)
		require.NoError(t, w.eraseAll(offset, size))
		data, err = w.blocks.ReadAll(1, nil)
		require.NoError(t, err)
		require.NotContains(t, string(data), string(secret))
		require.Empty(t, holders(t, image, secret))
	})
}

// TestTheOldFileOfAnErasedMessageIsOverwritten: it may stay on the disk for long, and readers that had it open are told.
func TestTheOldFileOfAnErasedMessageIsOverwritten(t *testing.T) {
	w := newChangeWorld(t)
	offset, size := w.plant(t)
	w.compress(t)
	old, err := w.memory.OpenFile("/s/msgs/1.blk", blockio.ModeRead)
	require.NoError(t, err)
	lease, err := w.source.Lease(blockio.BlockRef{ID: 1}, blockio.LeaseOptions{Whole: true, Keep: true})
	require.NoError(t, err)
	require.True(t, lease.Compressed())
	require.NoError(t, w.blocks.Erase(1, 3, offset, size, rand.Reader))
	stat, err := old.Stat()
	require.NoError(t, err)
	data := make([]byte, stat.Size)
	_, err = old.ReadAt(data, 0)
	require.NoError(t, err)
	require.Equal(t, make([]byte, stat.Size), data)
	require.NoError(t, old.Close())

	_, err = lease.ReadAll(nil)
	require.ErrorIs(t, err, blockio.ErrSuperseded)
	lease.Release()
	lease, err = w.source.Lease(blockio.BlockRef{ID: 1}, blockio.LeaseOptions{Whole: true, Keep: true})
	require.NoError(t, err)
	plain, err := lease.ReadAll(nil)
	require.NoError(t, err)
	require.Len(t, plain, len(w.old))
	lease.Release()
}
