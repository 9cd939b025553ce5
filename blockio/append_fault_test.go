package blockio_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestEveryWriteOfAnAppendMayFail: an append of many pieces takes several writes. When any
// one of them fails the append has, and so has the block, also when the next would succeed.
func TestEveryWriteOfAnAppendMayFail(t *testing.T) {
	var pieces [][]byte
	for i := range 12 {
		// Small ones, which are gathered, between large ones, which are written by themselves.
		size := 40 << 10
		if i%4 == 3 {
			size = 100 << 10
		}
		pieces = append(pieces, bytes.Repeat([]byte{byte(i + 1)}, size))
	}
	writes := 0
	for failing := 0; failing <= writes; failing++ {
		f := blocktest.NewFaultFS(blocktest.NewMemFS())
		blocks := newBlocks(t, f, blockio.BlocksOptions{})
		require.NoError(t, blocks.Create(1))
		before := f.CountOf(blocktest.OpWrite)
		f.SetHook(func(op blocktest.Op) blocktest.Fault {
			if failing > 0 && op.Kind == blocktest.OpWrite && op.KindIndex == before+failing-1 {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		err := blocks.Append(1, 0, pieces, false)
		if failing == 0 { // once without a fault, to count
			require.NoError(t, err)
			writes = f.CountOf(blocktest.OpWrite) - before
			require.Greater(t, writes, 4)
			data, err := blocks.ReadAll(1, nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(bytes.Join(pieces, nil), data))
			continue
		}
		require.ErrorIs(t, err, blocktest.ErrIO, "write %d of %d", failing, writes)
		require.ErrorIs(t, blocks.Append(1, 0, pieces[:1], false), blockio.ErrBroken)
		require.ErrorIs(t, blocks.Sync(1), blockio.ErrBroken)
	}
}

// TestOneAppendAtATime: a second one, which two writers at a time would be, is refused and
// harms nothing.
func TestOneAppendAtATime(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	reached, release := make(chan struct{}), make(chan struct{})
	f.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind != blocktest.OpWrite {
			return blocktest.Fault{}
		}
		return blocktest.Fault{Wait: func() { close(reached); <-release }}
	})
	first := make(chan error, 1)
	go func() { first <- blocks.Append(1, 0, [][]byte{{1, 2}}, true) }()
	<-reached
	f.SetHook(nil)
	require.Error(t, blocks.Append(1, 0, [][]byte{{3}}, true))
	close(release)
	require.NoError(t, <-first)
	require.NoError(t, blocks.Append(1, 2, [][]byte{{3}}, true))
	data, err := blocks.ReadAll(1, nil)
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2, 3}, data)
}

// TestZerosNeedNoRoom: where there is room for the records, and none for zeros ahead of them, the append succeeds. The
// block then gets no zeros any more.
func TestZerosNeedNoRoom(t *testing.T) {
	f := blocktest.NewSmallFS(blocktest.NewMemFS(), 40<<10)
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	piece := bytes.Repeat([]byte{1}, 1<<10)
	for i := range int64(40) {
		require.NoError(t, blocks.Append(1, i<<10, [][]byte{piece}, true), "append %d", i)
		list, err := blocks.List()
		require.NoError(t, err)
		require.Equal(t, (i+1)<<10, list[0].Size, "no part of the zeros stays")
	}
	require.ErrorIs(t, blockio.NameCause(blocks.Append(1, 40<<10, [][]byte{piece}, true)), blockio.ErrNoSpace)
}
