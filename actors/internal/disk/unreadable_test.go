package disk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// TestATableIsLoadedAroundASectorAtTheThirdAttempt: the disk may read it again before that.
func TestATableIsLoadedAroundASectorAtTheThirdAttempt(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	f := newTestFiles(t, files)
	size := writeBlock(t, f, 1, 1, 200, true)
	load := func(size int64) engine.Done { return f.Work(engine.Work{Kind: engine.WorkLoad, Block: 1, Size: size}) }
	for range 2 { // the attempts in a row count
		files.Spoil(f.Blocks.Path(1), 4096, 4608)
		for range mostAttempts - 1 {
			require.ErrorIs(t, load(size).Err, errTryAgain)
		}
		done := load(size / 2)
		require.NoError(t, done.Err)
		require.Less(t, done.Table.Len(), 98, "some of the first hundred are covered")
		files.Heal()
		done = load(size)
		require.NoError(t, done.Err)
		require.Equal(t, 200, done.Table.Len())
	}
	require.NoError(t, f.Blocks.Close())
}

// TestNoIndexOfABlockWithABadSector: it would have the sector for damage when it can be read again.
func TestNoIndexOfABlockWithABadSector(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	f := newTestFiles(t, files)
	writeBlock(t, f, 1, 1, 200, true)
	files.Spoil(f.Blocks.Path(1), 4096, 4608)
	written, err := f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.False(t, written)
	require.False(t, exists(t, files, blockindex.Path(f.Blocks.Path(1))))
	files.Heal()
	written, err = f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)

	// An index that cannot be read is no evidence, and is replaced.
	files.Spoil(blockindex.Path(f.Blocks.Path(1)), 0, 512)
	for range mostAttempts - 1 {
		_, err = f.WriteIndex(1, nil)
		require.ErrorIs(t, err, blocktest.ErrIO)
	}
	written, err = f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	require.NoError(t, f.Blocks.Close())
}

// TestABlockWithABadSectorTakesNoMore, also when the sector is behind the end of the log.
func TestABlockWithABadSectorTakesNoMore(t *testing.T) {
	for _, bad := range []bool{false, true} {
		found := blockio.BlockScan{End: 1000}
		if bad {
			found.Unreadable = 512
		}
		require.Equal(t, !bad, appendable(&found))
	}
}

// TestABlockWithABadSectorIsNotWrittenAnew: the new file would have the sector for damage when it can be read again.
func TestABlockWithABadSectorIsNotWrittenAnew(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	f := newTestFiles(t, files)
	writeBlock(t, f, 1, 1, 200, true)
	before, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	files.Spoil(f.Blocks.Path(1), 4096, 4608)
	var unreadable *blockio.UnreadableError
	_, err = compactIt(f, 1, 5, even, false)
	require.ErrorAs(t, err, &unreadable)
	_, _, err = f.Cut(1, 5, 150*47, 150)
	require.ErrorAs(t, err, &unreadable)
	_, err = f.Removals(1)
	require.ErrorIs(t, err, errTryAgain, "there may be some in the sector")
	_, err = f.tombstones(1, int64(len(before)))
	require.ErrorIs(t, err, errTryAgain)
	files.Heal()
	after, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	require.Equal(t, before, after)

	// What the sector held is not in a stream that was opened without it.
	f.unreadable = map[uint32]bool{1: true}
	_, err = compactIt(f, 1, 5, even, false)
	require.ErrorIs(t, err, blockio.ErrCorrupt)
	f.unreadable = nil

	// An index that cannot be read speaks against nothing, after some attempts.
	written, err := f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	files.Spoil(f.Blocks.Path(1), 4096, 4608)
	_, err = f.tombstones(1, int64(len(before)))
	require.NoError(t, err, "the index has them")
	files.Heal()
	files.Spoil(blockindex.Path(f.Blocks.Path(1)), 0, 512)
	for range mostAttempts - 1 {
		_, err = compactIt(f, 1, 5, even, false)
		require.ErrorIs(t, err, blocktest.ErrIO)
	}
	scan, err := compactIt(f, 1, 5, even, false)
	require.NoError(t, err)
	require.Equal(t, uint64(100), scan.Messages())
	require.NoError(t, f.Blocks.Close())
}

// TestWhatASectorCostsIsNotWrittenDown, but what something else has cost.
func TestWhatASectorCostsIsNotWrittenDown(t *testing.T) {
	f := newTestFiles(t, blocktest.NewFaultFS(blocktest.NewMemFS()))
	writeBlock(t, f, 1, 1, 10, true)
	lost := func(block uint32, first, last, bytes uint64) engine.LostRange {
		return engine.LostRange{SequenceRange: engine.SequenceRange{First: first, Last: last}, Block: block, Bytes: bytes}
	}
	require.NoError(t, f.Tell([]engine.LostRange{lost(1, 3, 4, 70), lost(2, 20, 21, 90)}))
	f.unreadable = map[uint32]bool{1: true}
	require.NoError(t, f.Tell([]engine.LostRange{lost(1, 3, 7, 500), lost(2, 20, 22, 120)}))
	told, err := f.Blocks.ReadLost()
	require.NoError(t, err)
	require.Equal(t, []blockio.LostRange{{Block: 1, First: 3, Last: 4, Bytes: 70}, {Block: 2, First: 20, Last: 22, Bytes: 120}}, told)
	require.NoError(t, f.Blocks.Close())
}
