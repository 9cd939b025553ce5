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

// TestAFailedEraseInACompressedBlock: whichever operation fails, the caller is told, and the next try ends it.
func TestAFailedEraseInACompressedBlock(t *testing.T) {
	for at := 0; ; at++ {
		w := newChangeWorld(t)
		offset, size := w.plant(t)
		w.compress(t)
		w.faults.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := w.eraseAll(offset, size)
		w.faults.SetHook(nil)
		if err != nil {
			require.ErrorIs(t, err, blocktest.ErrNoSpace, "operation %d", at)
			w.open(w.memory)
			require.NoError(t, w.eraseAll(offset, size), "operation %d", at)
		}
		data, readErr := w.blocks.ReadAll(1, nil)
		require.NoError(t, readErr)
		require.NotContains(t, string(data), string(secret), "operation %d", at)
		require.Empty(t, holders(t, w.memory, secret), "operation %d", at)
		if err == nil {
			require.Greater(t, at, 25)
			return
		}
	}
}

// TestWhoOpensTheOldFileWhileAMessageIsErased is told that it was overwritten: before the new file has the name, and
// while it is being overwritten.
func TestWhoOpensTheOldFileWhileAMessageIsErased(t *testing.T) {
	whole := blockio.LeaseOptions{Whole: true, Keep: true}
	lease := func(w *changeWorld) *blockio.Block {
		block, err := w.source.Lease(blockio.BlockRef{ID: 1}, whole)
		require.NoError(t, err)
		return block
	}
	w := newChangeWorld(t)
	offset, size := w.plant(t)
	w.compress(t)
	var early *blockio.Block
	w.faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRename && early == nil {
			w.faults.SetHook(nil)
			early = lease(w)
		}
		return blocktest.Fault{}
	})
	require.NoError(t, w.blocks.Erase(1, 3, offset, size, rand.Reader))
	require.NotNil(t, early)
	var buffer []byte
	_, err := early.At( // the last bytes, which have no checksum of their own in the file
		early.Size()-8, 8, &buffer)
	require.ErrorIs(t, err, blockio.ErrSuperseded)
	early.Release()

	// The whole erasure happens after the file was opened and before anything of it was read.
	w = newChangeWorld(t)
	offset, size = w.plant(t)
	w.compress(t)
	w.faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead {
			w.faults.SetHook(nil)
			require.NoError(t, w.blocks.Erase(1, 3, offset, size, rand.Reader))
		}
		return blocktest.Fault{}
	})
	block := lease(w)
	require.True(t, block.Compressed())
	data, err := block.ReadAll(nil)
	require.NoError(t, err)
	require.Len(t, data, len(w.old))
	require.Equal(t, w.old[len(w.old)-8:], data[len(data)-8:])
	block.Release()
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
