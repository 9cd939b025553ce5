package blockio_test

import (
	"bytes"
	"io/fs"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// pinned is a stream of some blocks, of which a test counts the open files.
func pinned(t *testing.T, blocks uint32) (*openCountingFS, *blockio.BlockSource, *blockio.Blocks) {
	t.Helper()
	counting := &openCountingFS{FS: blocktest.NewMemFS()}
	for id := uint32(1); id <= blocks; id++ {
		putBlock(t, counting.FS, "/s", id, plain(id, 500))
	}
	s := blockio.NewBlockCache(4, 1000).Source(counting, "/s", "S")
	s.Supersede(1)
	return counting, s, blockio.NewBlocks(counting, "/s", "S", blockio.BlocksOptions{Source: s})
}

// TestPinKeepsWhatIsRemoved, for each who has pinned it, until its turn is over.
func TestPinKeepsWhatIsRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be removed
	}
	counting, s, blocks := pinned(t, 9)
	require.NoError(t, blocks.Remove(1))
	require.Zero(t, counting.open.Load())
	first, second := s.Pin(7), s.Pin(9)
	require.NoError(t, blocks.Remove(2, 5, 8))
	require.EqualValues(t, 3, counting.open.Load())
	for _, row := range []struct {
		pin  *blockio.Pin
		id   uint32
		kept bool
	}{{first, 1, false}, {first, 2, true}, {first, 3, false}, {first, 5, true}, {first, 8, false}, {second, 2, true}, {second, 8, true}} {
		b, err := row.pin.Kept(blockio.BlockRef{ID: row.id, Generation: 1})
		if !row.kept {
			require.ErrorIs(t, err, fs.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain(row.id, 500), contentOf(t, b)))
		b.Release()
	}
	held, err := first.Kept(blockio.BlockRef{ID: 2, Generation: 1})
	require.NoError(t, err)
	first.Pass(5)
	second.Pass(5)
	require.EqualValues(t, 3, counting.open.Load(), "it is in use")
	held.Release()
	require.EqualValues(t, 2, counting.open.Load())
	require.NoError(t, blocks.Remove(3, 4))
	require.EqualValues(t, 2, counting.open.Load(), "their turn is over")
	first.Release()
	require.EqualValues(t, 2, counting.open.Load())
	second.Release()
	require.Zero(t, counting.open.Load())
	require.NoError(t, blocks.Remove(6, 7))
	require.Zero(t, counting.open.Load())
}

// TestPinKeepsOnlyWhatItKnows: no bytes of a later generation of the stream, none that are overwritten, and not more
// files than it may.
func TestPinKeepsOnlyWhatItKnows(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be removed
	}
	counting, s, blocks := pinned(t, 300)
	p := s.Pin(300)
	require.NoError(t, blocks.Remove(1))
	s.RetireAll(1)
	_, err := p.Kept(blockio.BlockRef{ID: 1, Generation: 1})
	require.ErrorIs(t, err, fs.ErrNotExist)
	for id := uint32(2); id <= 299; id++ {
		require.NoError(t, blocks.Remove(id))
	}
	require.EqualValues(t, 256, counting.open.Load())
	p.Pass(299)
	require.Zero(t, counting.open.Load())
	s.Supersede(2)
	require.NoError(t, blocks.Remove(300))
	_, err = p.Kept(blockio.BlockRef{ID: 300, Generation: 1})
	require.ErrorIs(t, err, fs.ErrNotExist)
	p.Release()
	require.Zero(t, counting.open.Load())
}

// TestPinKeepsWhatIsReplaced: the file that the block had when it was pinned, however it goes then.
func TestPinKeepsWhatIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be replaced
	}
	counting, s, blocks := pinned(t, 2)
	p := s.Pin(2)
	require.NoError(t, blocks.Rewrite(1, 2, plain(1, 100)))
	s.Retire(blockio.BlockRef{ID: 1, Generation: 1}) // no view speaks of it
	late := s.Pin(2)
	require.NoError(t, blocks.Remove(1))
	b, err := p.Kept(blockio.BlockRef{ID: 1, Generation: 1})
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain(1, 500), contentOf(t, b)))
	b.Release()
	// A pin that came after the block was replaced has the other file, which is no answer for a view from before.
	_, err = late.Kept(blockio.BlockRef{ID: 1, Generation: 1})
	require.ErrorIs(t, err, blockio.ErrSuperseded)
	b, err = late.Kept(blockio.BlockRef{ID: 1, Generation: 2})
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain(1, 100), contentOf(t, b)))
	b.Release()
	p.Release()
	late.Release()
	require.Zero(t, counting.open.Load())
}
