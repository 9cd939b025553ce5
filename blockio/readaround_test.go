package blockio_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// spoiledBlocks returns the blocks of a stream whose one block has so many bytes, each of
// them its offset, and the file system below.
func spoiledBlocks(t *testing.T, size int) (*blockio.Blocks, *blocktest.FaultFS, []byte) {
	t.Helper()
	fsys := blocktest.NewFaultFS(blocktest.NewMemFS())
	blocks := blockio.NewBlocks(fsys, "/s", "S", blockio.BlocksOptions{})
	require.NoError(t, fsys.MkdirAll(blocks.Dir()))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i%251 + 1)
	}
	require.NoError(t, blocks.Create(1))
	require.NoError(t, blocks.Append(1, 0, [][]byte{data}, true))
	return blocks, fsys, data
}

func TestReadAroundSectors(t *testing.T) {
	sectors := func(ranges ...int64) (list []blockio.SectorRange) {
		for i := 0; i < len(ranges); i += 2 {
			list = append(list, blockio.SectorRange{From: ranges[i], To: ranges[i+1]})
		}
		return list
	}
	const size = 40_000
	for name, c := range map[string]struct{ bad, want []blockio.SectorRange }{
		"one of 512":            {sectors(1024, 1536), sectors(1024, 1536)},
		"one of 4096":           {sectors(8192, 12288), sectors(8192, 12288)},
		"the first":             {sectors(0, 512), sectors(0, 512)},
		"the last":              {sectors(39936, size), sectors(39936, size)},
		"two that touch":        {sectors(4096, 8192, 8192, 12288), sectors(4096, 12288)},
		"two":                   {sectors(512, 1024, 20480, 24576), sectors(512, 1024, 20480, 24576)},
		"a byte costs a sector": {sectors(5000, 5001), sectors(5000, 5120)},
		"all":                   {sectors(0, size), sectors(0, size)},
	} {
		t.Run(name, func(t *testing.T) {
			blocks, fsys, data := spoiledBlocks(t, size)
			for _, s := range c.bad {
				fsys.Spoil(blocks.Path(1), s.From, s.To)
			}
			got, err := blocks.ReadAll(1, nil)
			var unreadable *blockio.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorIs(t, err, blocktest.ErrIO)
			require.NotErrorIs(t, err, blockio.ErrCorrupt)
			require.Equal(t, c.want, unreadable.Sectors)
			require.Equal(t, name == "all", unreadable.Nothing)
			require.Equal(t, name == "all", unreadable.Whole())
			require.True(t, bytes.Equal(spoil(data, c.want...), got), firstDifference(spoil(data, c.want...), got))
			fsys.Heal()
			got, err = blocks.ReadAll(1, nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
		})
	}
}

// TestFailureThatPassesCostsNothing: a sector is tried three times.
func TestFailureThatPassesCostsNothing(t *testing.T) {
	blocks, fsys, data := spoiledBlocks(t, 40_000)
	failures := 0
	fsys.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead && op.Offset <= 9000 && op.Offset+int64(op.Size) > 9000 && failures < 2 {
			failures++
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	got, err := blocks.ReadAll(1, nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.Equal(t, 2, failures)
}

// TestDiskThatFailsIsNoBadSector: it is not read around, and the work on it is bounded.
func TestDiskThatFailsIsNoBadSector(t *testing.T) {
	blocks, fsys, _ := spoiledBlocks(t, 4<<20)
	fsys.Spoil(blocks.Path(1), 4096, 0)
	before := fsys.CountOf(blocktest.OpRead)
	_, err := blocks.ReadAll(1, nil)
	require.ErrorIs(t, err, blocktest.ErrIO)
	require.Nil(t, blockio.Unreadable(err))
	require.Less(t, fsys.CountOf(blocktest.OpRead)-before, 1000)
	other := errors.New("other")
	fsys.Heal()
	fsys.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead {
			return blocktest.Fault{Err: other}
		}
		return blocktest.Fault{}
	})
	_, err = blocks.ReadAll(1, nil)
	require.ErrorIs(t, err, other)
}

// firstDifference returns where two slices begin to differ.
func firstDifference(a, b []byte) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
