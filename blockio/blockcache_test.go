package blockio_test

import (
	"io/fs"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// newCache returns the source of a stream with n blocks in memory.
func newCache(t *testing.T, most int, n int) (*blockio.BlockCache, *blockio.BlockSource, *openCountingFS) {
	t.Helper()
	files := &openCountingFS{FS: blocktest.NewMemFS()}
	putBlocks(t, files, "/s", n, 100)
	files.opens.Store(0)
	c := blockio.NewBlockCache(most, 1000)
	return c, c.Source(files, "/s", "S"), files
}

func TestLeaseIsOfOneFileHoweverOften(t *testing.T) {
	c, s, files := newCache(t, 4, 2)
	a := lease(t, s, 1, lookUp)
	b := lease(t, s, 1, lookUp)
	require.Same(t, a, b)
	require.EqualValues(t, 1, files.opens.Load())
	require.Equal(t, plain(1, 100), contentOf(t, a))
	require.Equal(t, ref(1), a.Ref())
	require.Equal(t, "/s/msgs/1.blk", a.Path())
	require.Equal(t, s.Path(1), a.Path())
	require.EqualValues(t, 100, a.Size())
	require.True(t, a.Whole())
	require.False(t, a.Mapped())
	stat, err := a.Stat()
	require.NoError(t, err)
	require.EqualValues(t, 100, stat.Size)
	require.NotZero(t, stat.ModTime)
	a.Release()
	b.Release()
	require.Equal(t, 1, c.Open(), "it stays in the cache")
	touch(t, s, 1)
	require.EqualValues(t, 1, files.opens.Load())
	s.Close()
	require.Zero(t, c.Open())
	require.Zero(t, files.open.Load())
}

func TestStreamsHaveNoBlockInCommon(t *testing.T) {
	c, s, files := newCache(t, 4, 1)
	putBlock(t, files, "/other", 1, plain(9, 50))
	other := c.Source(files, "/other", "O")
	a, b := lease(t, s, 1, lookUp), lease(t, other, 1, lookUp)
	require.Equal(t, plain(1, 100), contentOf(t, a))
	require.Equal(t, plain(9, 50), contentOf(t, b))
	a.Release()
	b.Release()
	s.Forget(1)
	require.Equal(t, 1, c.Open())
	s.Close()
	require.Equal(t, 1, c.Open(), "closing one leaves the other alone")
}

func TestCodecOfASource(t *testing.T) {
	c := blockio.NewBlockCache(1, 0)
	s := c.Source(blocktest.NewMemFS(), "/s", "S")
	mark := make([]byte, blockio.EmptyRecordSize)
	for _, id := range []uint32{1, 1, 2, 1} {
		blockio.NewRecordCodec("S", id).PutGroupMark(mark, 1, 30)
		_, err := s.Codec(id).Decode(mark)
		require.NoError(t, err, "block %d", id)
	}
	require.Same(t, s.Codec(1), s.Codec(1))
}

func TestSinglePassIsNotKept(t *testing.T) {
	c, s, files := newCache(t, 4, 1)
	b := lease(t, s, 1, passing)
	require.Equal(t, 1, c.Open())
	require.False(t, b.Retain(), "nobody new uses what the cache does not have")
	b.Drop()
	b.Release()
	require.Zero(t, c.Open())
	kept := lease(t, s, 1, lookUp)
	require.EqualValues(t, 2, files.opens.Load())
	require.Same(t, kept, lease(t, s, 1, passing), "it is cached already")
	require.EqualValues(t, 2, files.opens.Load())
	kept.Release()
	kept.Release()
	require.Equal(t, 1, c.Open())
}

// TestASinglePassWaitsForNobodysOpening: a look-up whose opening of a block hangs holds up who looks it up as well, and
// nobody else.
func TestASinglePassWaitsForNobodysOpening(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	putBlocks(t, files, "/s", 1, 100)
	s := blockio.NewBlockCache(4, 1000).Source(files, "/s", "S")
	hangs, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		return blocktest.Fault{Wait: func() {
			once.Do(func() {
				files.SetHook(nil)
				close(hangs)
				<-release
			})
		}}
	})
	found := make(chan *blockio.Block)
	go func() { found <- lease(t, s, 1, lookUp) }()
	<-hangs
	b := lease(t, s, 1, passing)
	require.Equal(t, plain(1, 100), contentOf(t, b))
	b.Release()
	close(release)
	(<-found).Release()
}

func TestBlockThatStillTookRecords(t *testing.T) {
	c, s, files := newCache(t, 4, 1)
	b := lease(t, s, 1, growing)
	require.False(t, b.Whole())
	longer := plain(1, 150)
	file, err := files.OpenFile(b.Path(), blockio.ModeReadWrite)
	require.NoError(t, err)
	_, err = file.WriteAt(longer, 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, longer, contentOf(t, b), "as of now")
	require.EqualValues(t, 100, b.Size(), "as of then")

	again := lease(t, s, 1, lookUp)
	require.Same(t, b, again, "the caller decides what it is good for")
	again.Release()
	apart := lease(t, s, 1, passing)
	require.True(t, apart.Whole())
	require.EqualValues(t, 150, apart.Size())
	apart.Release()
	b.Drop()
	require.False(t, b.Retain())
	anew := lease(t, s, 1, lookUp)
	require.True(t, anew.Whole())
	require.EqualValues(t, 150, anew.Size())
	b.Drop() // is of the past, and drops nothing
	require.Same(t, anew, lease(t, s, 1, lookUp))
	anew.Release()
	anew.Release()
	b.Release()
	require.Equal(t, 1, c.Open())
}

func TestForgottenBlockStaysUsable(t *testing.T) {
	c, s, files := newCache(t, 4, 2)
	touch(t, s, 2)
	old := lease(t, s, 1, lookUp)
	putBlock(t, files, "/s", 1, plain(77, 60))
	require.Same(t, old, lease(t, s, 1, lookUp))
	old.Release()
	s.Forget(1)
	s.Forget(3) // is not there
	require.False(t, old.Retain())
	replaced := lease(t, s, 1, lookUp)
	require.Equal(t, plain(1, 100), contentOf(t, old))
	require.Equal(t, plain(77, 60), contentOf(t, replaced))
	require.NoError(t, files.Remove(old.Path()))
	s.Forget(1)
	require.Equal(t, plain(77, 60), contentOf(t, replaced))
	old.Release()
	replaced.Release()
	require.Equal(t, 1, c.Open(), "block 2")
	_, err := s.Lease(ref(1), lookUp)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, 1, c.Open())
}

func TestSupersededRefsAreRefused(t *testing.T) {
	c, s, files := newCache(t, 4, 2)
	old := lease(t, s, 1, lookUp)
	touch(t, s, 2)
	s.Supersede(3)
	require.Equal(t, 1, c.Open(), "only what is leased")
	require.False(t, old.Retain())
	opens := files.opens.Load()
	for _, o := range []blockio.LeaseOptions{lookUp, growing, passing} {
		for generation := range uint64(3) {
			_, err := s.Lease(blockio.BlockRef{ID: 1, Generation: generation}, o)
			require.ErrorIs(t, err, blockio.ErrSuperseded)
		}
	}
	require.Equal(t, opens, files.opens.Load(), "no file is opened for them")
	require.Equal(t, plain(1, 100), contentOf(t, old), "leases that are out stay usable")
	old.Release()
	require.Zero(t, files.open.Load())
	b, err := s.Lease(blockio.BlockRef{ID: 1, Generation: 3}, lookUp)
	require.NoError(t, err)
	require.EqualValues(t, 3, b.Ref().Generation)
	s.Supersede(2)
	require.True(t, b.Retain(), "there is no way back")
	b.Release()
	b.Release()
	_, err = s.Lease(blockio.BlockRef{ID: 1, Generation: 2}, lookUp)
	require.ErrorIs(t, err, blockio.ErrSuperseded)
	ahead, err := s.Lease(blockio.BlockRef{ID: 1, Generation: 4}, lookUp)
	require.NoError(t, err)
	require.NotSame(t, b, ahead, "a generation has its own files")
	ahead.Release()
	s.Supersede(4)
	require.Equal(t, 1, c.Open(), "blocks of the generation itself stay")
}

// TestSupersededFilesAreClosedLater where that is asked for, and with the stream at the latest.
func TestSupersededFilesAreClosedLater(t *testing.T) {
	for name, closeFiles := range map[string]func(*blockio.BlockSource){
		"in the end":       (*blockio.BlockSource).CloseSuperseded,
		"with the stream":  (*blockio.BlockSource).Close,
		"by the next time": func(s *blockio.BlockSource) { s.Supersede(4) },
	} {
		t.Run(name, func(t *testing.T) {
			c, s, files := newCache(t, 4, 2)
			touch(t, s, 1)
			touch(t, s, 2)
			s.SupersedeAtOnce(3)
			require.EqualValues(t, 2, files.open.Load())
			require.Equal(t, 2, c.Open(), "they count as long as they are open")
			_, err := s.Lease(blockio.BlockRef{ID: 1, Generation: 2}, lookUp)
			require.ErrorIs(t, err, blockio.ErrSuperseded)
			closeFiles(s)
			require.Zero(t, files.open.Load())
			require.Zero(t, c.Open())
			s.CloseSuperseded()
		})
	}
}

func TestClosedSourceKeepsNothing(t *testing.T) {
	c, s, _ := newCache(t, 4, 2)
	out := lease(t, s, 1, lookUp)
	touch(t, s, 2)
	s.Close()
	require.Equal(t, 1, c.Open())
	late := lease(t, s, 2, lookUp)
	require.Equal(t, plain(2, 100), contentOf(t, late))
	late.Release()
	require.Equal(t, plain(1, 100), contentOf(t, out))
	out.Release()
	s.Close()
	require.Zero(t, c.Open())
}

func TestCacheIsBoundedInNumber(t *testing.T) {
	c, s, files := newCache(t, 3, 6)
	for id := uint32(1); id <= 3; id++ {
		touch(t, s, id)
	}
	touch(t, s, 4) // every block was used: one goes, the others get a second chance
	require.Equal(t, 3, c.Open())
	touch(t, s, 2)
	before := files.opens.Load()
	touch(t, s, 5)
	touch(t, s, 2)
	require.Equal(t, before+1, files.opens.Load(), "what was used since stays")
	require.Equal(t, 3, c.Open())

	busy := []*blockio.Block{}
	for id := uint32(1); id <= 6; id++ {
		busy = append(busy, lease(t, s, id, lookUp))
	}
	require.Equal(t, 6, c.Open(), "files in use are never closed")
	for i, b := range busy {
		require.Equal(t, plain(uint32(i+1), 100), contentOf(t, b))
		b.Release()
	}
	require.Equal(t, 3, c.Open())
}

func TestBusyBlocksAreEvictedLast(t *testing.T) {
	_, s, files := newCache(t, 2, 4)
	busy := lease(t, s, 1, lookUp)
	for id := uint32(2); id <= 4; id++ {
		touch(t, s, id)
		touch(t, s, id)
	}
	before := files.opens.Load()
	require.Same(t, busy, lease(t, s, 1, lookUp))
	require.Equal(t, before, files.opens.Load())
}

func TestOneBlockIsKeptWhateverTheBounds(t *testing.T) {
	files := &openCountingFS{FS: blocktest.NewMemFS()}
	putBlocks(t, files, "/s", 2, 100)
	c := blockio.NewBlockCache(0, 0)
	s := c.Source(files, "/s", "S")
	touch(t, s, 1)
	require.Equal(t, 1, c.Open())
	touch(t, s, 2)
	require.Equal(t, 1, c.Open())
}

func TestWritersMakeTheSourceForget(t *testing.T) {
	c, s, files := newCache(t, 4, 2)
	blocks := blockio.NewBlocks(files, "/s", "S", blockio.BlocksOptions{Source: s})
	for id, change := range map[uint32]func() error{
		1: func() error { return blocks.Remove(1) },
		2: func() error { return blocks.Truncate(2, 10) },
	} {
		b := lease(t, s, id, growing)
		require.NoError(t, change())
		require.False(t, b.Retain())
		b.Release()
	}
	require.Zero(t, c.Open())
	b := lease(t, s, 2, lookUp)
	require.Equal(t, plain(2, 100)[:10], contentOf(t, b))
	b.Release()
	require.NoError(t, blocks.Close())
}

// TestFilesAreClosedBeforeTheyAreRemoved, since not every system removes one that is
// open, and forgotten once more after it: somebody may have opened the file meanwhile.
func TestFilesAreClosedBeforeTheyAreRemoved(t *testing.T) {
	faults := blocktest.NewFaultFS(blocktest.NewMemFS())
	putBlocks(t, faults, "/s", 2, 100)
	c := blockio.NewBlockCache(4, 0)
	s := c.Source(faults, "/s", "S")
	blocks := blockio.NewBlocks(faults, "/s", "S", blockio.BlocksOptions{Source: s})
	for _, row := range []struct {
		kind   blocktest.OpKind
		change func() error
	}{
		{blocktest.OpTruncate, func() error { return blocks.Truncate(1, 10) }},
		{blocktest.OpRemove, func() error { return blocks.Remove(2) }},
	} {
		touch(t, s, 1)
		touch(t, s, 2)
		seen := -1
		faults.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == row.kind && seen < 0 {
				seen = c.Open()
				for id := uint32(1); id <= 2; id++ {
					touch(t, s, id)
				}
			}
			return blocktest.Fault{}
		})
		require.NoError(t, row.change())
		require.Equal(t, 1, seen, "%v", row.kind)
		require.Equal(t, 1, c.Open(), "%v", row.kind)
		faults.SetHook(nil)
	}
}
