package blockio_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func generation(id uint32, g uint64) blockio.BlockRef {
	return blockio.BlockRef{ID: id, Generation: g}
}

// requireContent leases a block in every way, and compares.
func requireContent(t testing.TB, s *blockio.BlockSource, ref blockio.BlockRef, want []byte) {
	t.Helper()
	for _, o := range []blockio.LeaseOptions{lookUp, passing, growing, {}} {
		b, err := s.Lease(ref, o)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, contentOf(t, b)), "%v, %+v", ref, o)
		b.Release()
	}
}

// TestEachGenerationHasItsFile: also for those who ask first when it was replaced, twice, and removed.
func TestEachGenerationHasItsFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be replaced
	}
	for name, world := range map[string]func(t *testing.T) (blockio.FS, string){
		"os":     func(t *testing.T) (blockio.FS, string) { return blockio.OS, t.TempDir() },
		"memory": func(*testing.T) (blockio.FS, string) { return blocktest.NewMemFS(), "/s" },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, dir := world(t)
			putBlocks(t, fsys, dir, 2, 5000)
			c := blockio.NewBlockCache(4, 1000)
			s := c.Source(fsys, dir, "S")
			s.Supersede(3)
			blocks := blockio.NewBlocks(fsys, dir, "S", blockio.BlocksOptions{Source: s})
			first, second, third := plain(1, 5000), plain(7, 3000), plain(9, 4000)
			require.NoError(t, blocks.Rewrite(1, 5, second))
			requireContent(t, s, generation(1, 3), first)
			requireContent(t, s, generation(1, 4), first)
			requireContent(t, s, generation(1, 5), second)
			require.NoError(t, blocks.Rewrite(1, 8, third))
			for g, want := range map[uint64][]byte{3: first, 5: second, 7: second, 8: third, 9: third} {
				requireContent(t, s, generation(1, g), want)
			}
			require.Equal(t, generation(1, 8), s.Current(generation(1, 3)))
			require.Equal(t, generation(2, 3), s.Current(generation(2, 3)))
			old, err := s.Lease(generation(1, 3), lookUp)
			require.NoError(t, err)
			require.True(t, old.Replaced())

			s.Retire(generation(1, 3))
			s.Forget(1)
			_, err = s.Lease(generation(1, 3), lookUp)
			require.ErrorIs(t, err, blockio.ErrSuperseded)
			require.True(t, bytes.Equal(first, contentOf(t, old)), "who has leased it reads on")
			old.Release()
			requireContent(t, s, generation(1, 6), second)

			require.NoError(t, blocks.Remove(1))
			requireContent(t, s, generation(1, 6), second)
			_, err = s.Lease(generation(1, 8), passing)
			require.ErrorIs(t, err, fs.ErrNotExist)
			s.Retire(generation(1, 7))
			s.Forget(1)
			_, err = s.Lease(generation(1, 6), passing)
			require.ErrorIs(t, err, fs.ErrNotExist, "nothing is remembered of a block that is gone")
			require.Equal(t, generation(1, 3), s.Current(generation(1, 3)))

			require.NoError(t, blocks.Rewrite(2, 10, second))
			s.Supersede(11)
			_, err = s.Lease(generation(2, 10), passing)
			require.ErrorIs(t, err, blockio.ErrSuperseded)
			require.Equal(t, generation(2, 3), s.Current(generation(2, 3)), "all are of a later one")
			require.NoError(t, blocks.Rewrite(2, 12, third))
			requireContent(t, s, generation(2, 11), second)
			s.RetireAll(2)
			_, err = s.Lease(generation(2, 11), lookUp)
			require.ErrorIs(t, err, blockio.ErrSuperseded)
			require.NoError(t, blocks.Rewrite(2, 13, third))
			s.Close()
			require.Zero(t, c.Open())
		})
	}
}

// TestOldFilesAreBounded: the first ones that were replaced go first.
func TestOldFilesAreBounded(t *testing.T) {
	const most = 64
	_, s, files := newCache(t, 4, 0)
	blocks := blockio.NewBlocks(files, "/s", "S", blockio.BlocksOptions{Source: s})
	putBlocks(t, files, "/s", most+3, 100)
	for id := uint32(1); id <= most+3; id++ {
		require.NoError(t, blocks.Rewrite(id, 1, []byte("new")))
	}
	for id := uint32(1); id <= most+3; id++ {
		b, err := s.Lease(ref(id), passing)
		if id <= 3 {
			require.ErrorIs(t, err, blockio.ErrSuperseded)
			continue
		}
		require.NoError(t, err)
		b.Release()
	}
	require.Equal(t, int64(most), files.open.Load())
	s.Close()
	require.Zero(t, files.open.Load())
}

// TestAFileThatIsReplacedWhileItIsOpened: the lease is of the generation that it was asked for.
func TestAFileThatIsReplacedWhileItIsOpened(t *testing.T) {
	for _, o := range []blockio.LeaseOptions{lookUp, passing, growing} {
		files := blocktest.NewMemFS()
		faults := blocktest.NewFaultFS(files)
		putBlocks(t, files, "/s", 1, 100)
		c := blockio.NewBlockCache(4, 0)
		s := c.Source(faults, "/s", "S")
		blocks := blockio.NewBlocks(files, "/s", "S", blockio.BlocksOptions{Source: s})
		opened, replaced := make(chan struct{}), make(chan struct{})
		var first atomic.Bool
		faults.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind != blocktest.OpOpen {
				return blocktest.Fault{}
			}
			return blocktest.Fault{Wait: func() {
				if !first.Swap(true) {
					close(opened)
					<-replaced
				}
			}}
		})
		got := make(chan []byte)
		for range 2 {
			go func() {
				b, err := s.Lease(ref(1), o)
				if err != nil {
					got <- []byte(fmt.Sprint(err))
					return
				}
				data, _ := b.ReadAll(nil)
				b.Release()
				got <- data
			}()
		}
		<-opened
		require.NoError(t, blocks.Rewrite(1, 1, []byte("new")))
		close(replaced)
		require.Equal(t, plain(1, 100), <-got)
		require.Equal(t, plain(1, 100), <-got)
		requireContent(t, s, generation(1, 1), []byte("new"))
		s.Close()
		require.Zero(t, c.Open())
	}
}

// TestReadersOfManyGenerations race replacements, and each reads what it asked for.
func TestReadersOfManyGenerations(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be replaced
	}
	dir := t.TempDir()
	const generations = 60
	content := func(g uint64) []byte { return bytes.Repeat([]byte{byte(g)}, 1000+int(g)) }
	putBlock(t, blockio.OS, dir, 1, content(0))
	c := blockio.NewBlockCache(2, 0)
	s := c.Source(blockio.OS, dir, "S")
	blocks := blockio.NewBlocks(blockio.OS, dir, "S", blockio.BlocksOptions{Source: s})
	var running sync.WaitGroup
	errs := make(chan error, 8)
	shown := make([]chan struct{}, generations+1)
	for g := range shown {
		shown[g] = make(chan struct{})
	}
	for i := range 6 {
		running.Go(func() {
			for g := uint64(0); g <= generations; g++ {
				<-shown[g]
				for back := range min(g+1, 5) {
					b, err := s.Lease(generation(1, g-back), []blockio.LeaseOptions{lookUp, passing, growing}[(i+int(back))%3])
					if err == nil {
						var data []byte
						if data, err = b.ReadAll(nil); err == nil && !bytes.Equal(data, content(g-back)) {
							err = fmt.Errorf("generation %d: %d bytes", g-back, len(data))
						}
						b.Release()
					}
					if err != nil {
						errs <- err
						return
					}
				}
			}
		})
	}
	close(shown[0])
	for g := uint64(1); g <= generations; g++ {
		require.NoError(t, blocks.Rewrite(1, g, content(g)))
		close(shown[g])
	}
	running.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	s.Close()
	require.Zero(t, c.Open())
}
