package blockio_test

import (
	"bytes"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestLargeSyncedAppendsGoIntoAHole: the file is made longer, and nothing is written but the records. A seal cuts it to them.
func TestLargeSyncedAppendsGoIntoAHole(t *testing.T) {
	const size = 40 << 10
	m := blocktest.NewMemFS()
	f := blocktest.NewFaultFS(m)
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := int64(0)
	for i := range 12 {
		writes, truncations := f.CountOf(blocktest.OpWrite), f.CountOf(blocktest.OpTruncate)
		end = appendTo(t, blocks, 1, end, uint64(i+1), size)
		require.Equal(t, writes+1, f.CountOf(blocktest.OpWrite))
		if i == 1 {
			truncations++
		}
		require.Equal(t, truncations, f.CountOf(blocktest.OpTruncate), "append %d", i)
		if i == 0 {
			require.Equal(t, end, fileSize(t, blocks, 1), "one large message makes the file no longer than it is")
		}
	}
	require.Equal(t, int64(1<<20), fileSize(t, blocks, 1)-2*end/12)
	for _, mode := range blocktest.CrashModes {
		image := newBlocks(t, m.CrashImage(mode, rand.New(rand.NewSource(1))), blockio.BlocksOptions{})
		data, err := image.ReadAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, blockio.BlockScan{End: end}, blockio.ScanBlock("", 1, image.Codec(1), data, true, nil), "%v", mode)
	}
	require.NoError(t, blocks.Seal(1, end))
	require.Equal(t, end, fileSize(t, blocks, 1))
}

// TestAFileThatCannotBeMadeLongerNeedsNoHole: the records have what they need, as with zeros that there is no room for.
func TestAFileThatCannotBeMadeLongerNeedsNoHole(t *testing.T) {
	for _, full := range []bool{true, false} {
		f := blocktest.NewFaultFS(blocktest.NewMemFS())
		blocks := newBlocks(t, f, blockio.BlocksOptions{})
		require.NoError(t, blocks.Create(1))
		piece := bytes.Repeat([]byte{1}, 40<<10)
		require.NoError(t, blocks.Append(1, 0, [][]byte{piece}, true))
		refused := 0
		f.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind != blocktest.OpTruncate || op.Offset <= 80<<10 {
				return blocktest.Fault{}
			}
			refused++
			if full {
				return blocktest.Fault{Err: blocktest.ErrNoSpace}
			}
			return blocktest.Fault{Err: blocktest.ErrIO}
		})
		err := blocks.Append(1, 40<<10, [][]byte{piece}, true)
		require.Equal(t, 1, refused)
		if !full {
			require.ErrorIs(t, err, blocktest.ErrIO)
			require.ErrorIs(t, blocks.Append(1, 80<<10, [][]byte{piece}, true), blockio.ErrBroken)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, blocks.Append(1, 80<<10, [][]byte{piece}, true))
		require.Equal(t, 1, refused, "nobody tries again")
		require.EqualValues(t, 120<<10, fileSize(t, blocks, 1))
	}
}

// TestAHoleTakesNoRoom: a disk that has less than that takes as many records as it has room for.
func TestAHoleTakesNoRoom(t *testing.T) {
	f := blocktest.NewSmallFS(blocktest.NewMemFS(), 200<<10)
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	piece := bytes.Repeat([]byte{1}, 40<<10)
	for i := range int64(5) {
		require.NoError(t, blocks.Append(1, i*(40<<10), [][]byte{piece}, true), "append %d", i)
	}
	require.Greater(t, fileSize(t, blocks, 1), int64(1<<20))
	require.ErrorIs(t, blockio.NameCause(blocks.Append(1, 200<<10, [][]byte{piece}, true)), blockio.ErrNoSpace)
}
