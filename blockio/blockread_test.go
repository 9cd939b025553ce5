package blockio_test

import (
	"bytes"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

const bigBlock = 300_000 // many stretches, and not a whole number of them

// eachWorld runs a test on blocks of bigBlock bytes that are mapped, where that can be
// done, and that are not.
func eachWorld(t *testing.T, test func(t *testing.T, fsys blockio.FS, s *blockio.BlockSource)) {
	for name, world := range map[string]func(t *testing.T) (blockio.FS, string){
		"os":     func(t *testing.T) (blockio.FS, string) { return blockio.OS, t.TempDir() },
		"memory": func(*testing.T) (blockio.FS, string) { return blocktest.NewMemFS(), "/s" },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, dir := world(t)
			putBlocks(t, fsys, dir, 2, bigBlock)
			c := blockio.NewBlockCache(4, 1000)
			s := c.Source(fsys, dir, "S")
			test(t, fsys, s)
			s.Close()
			require.Zero(t, c.Open())
		})
	}
}

func TestBytesOfABlock(t *testing.T) {
	eachWorld(t, func(t *testing.T, fsys blockio.FS, s *blockio.BlockSource) {
		want := plain(1, bigBlock)
		for _, o := range []blockio.LeaseOptions{lookUp, growing, passing} {
			s.Forget(1)
			b := lease(t, s, 1, o)
			require.Equal(t, canMap() && fsys == blockio.OS && o == lookUp, b.Mapped())
			buffer := make([]byte, 10)
			read := func(offset int64, size int) (data []byte, err error) {
				err = blockio.Guard(func() error {
					data, err = b.At(offset, size, &buffer)
					data = bytes.Clone(data)
					return err
				})
				return data, err
			}
			for _, at := range [][2]int{{0, 1}, {5, 5}, {16000, 1000}, {100, 0}, {70_000, 9}, {40_000, 200_000}, {0, bigBlock}, {bigBlock - 3, 3}, {bigBlock, 0}} {
				data, err := read(int64(at[0]), at[1])
				require.NoError(t, err, "%v", at)
				require.Equal(t, want[at[0]:at[0]+at[1]], append([]byte{}, data...), "%v", at)
			}
			data, err := read(bigBlock-3, 10)
			require.Equal(t, io.ErrUnexpectedEOF, err)
			require.Equal(t, want[bigBlock-3:], data, "what there is")
			for _, at := range [][2]int64{{bigBlock, 1}, {bigBlock + 9, 1}, {-1, 1}, {0, -1}, {1<<63 - 1, 5}} {
				data, err := read(at[0], int(at[1]))
				require.Error(t, err, "%v", at)
				require.Empty(t, data, "%v", at)
			}
			part := make([]byte, 10)
			n, err := b.ReadAt(part, bigBlock-4)
			require.Equal(t, io.EOF, err)
			require.Equal(t, want[bigBlock-4:], part[:n])
			require.Equal(t, want, contentOf(t, b))
			into := make([]byte, 0, bigBlock)
			all, err := b.ReadAll(into)
			require.NoError(t, err)
			require.Same(t, &into[:1][0], &all[0])
			b.Release()
		}
	})
}

// TestRemovedBlockIsReadable: also what nobody has read before.
func TestRemovedBlockIsReadable(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be removed
	}
	eachWorld(t, func(t *testing.T, fsys blockio.FS, s *blockio.BlockSource) {
		removed, replaced := lease(t, s, 1, lookUp), lease(t, s, 2, lookUp)
		require.NoError(t, fsys.Remove(removed.Path()))
		require.NoError(t, blockio.ReplaceFile(fsys, replaced.Path(), []byte("short")))
		s.Forget(1)
		s.Forget(2)
		require.Equal(t, plain(1, bigBlock), contentOf(t, removed))
		require.Equal(t, plain(2, bigBlock), contentOf(t, replaced))
		removed.Release()
		replaced.Release()
		_, err := s.Lease(ref(1), lookUp)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestBlockThatBecameShorterIsNoticed(t *testing.T) {
	const left = 100_000
	eachWorld(t, func(t *testing.T, fsys blockio.FS, s *blockio.BlockSource) {
		whole, part := lease(t, s, 1, lookUp), lease(t, s, 2, growing)
		for _, b := range []*blockio.Block{whole, part} {
			file, err := fsys.OpenFile(b.Path(), blockio.ModeReadWrite)
			require.NoError(t, err)
			require.NoError(t, file.Truncate(left))
			require.NoError(t, file.Close())
		}
		data, err := whole.ReadAll(nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, whole.Path())
		require.Equal(t, plain(1, bigBlock)[:left], data)
		data, err = part.ReadAll(nil)
		require.NoError(t, err, "a block that still took records may be cut")
		require.Len(t, data, left)
		n, err := whole.ReadAt(make([]byte, 10), left+50_000)
		require.Equal(t, io.EOF, err)
		require.Zero(t, n)
		var buffer []byte
		require.Error(t, blockio.Guard(func() error {
			data, err := whole.At(left+50_000, 10, &buffer)
			if err == nil {
				buffer = append(buffer, data...) // of a mapped block, a fault
			}
			return err
		}))
		data, err = whole.At(90_000, 10, &buffer)
		require.NoError(t, err)
		require.NoError(t, blockio.Guard(func() error { buffer = append([]byte{}, data...); return nil }))
		require.Equal(t, plain(1, bigBlock)[90_000:90_010], buffer)
		whole.Release()
		part.Release()
	})
}

func TestABlockOfAnUnknownAlgorithmIsRefused(t *testing.T) {
	c, s, files := newCache(t, 4, 0)
	for name, data := range map[string]string{"2": "cmp\x02rest", "255": "cmp\xff\x01"} {
		putBlock(t, files, "/s", 1, []byte(data))
		for _, o := range []blockio.LeaseOptions{lookUp, growing, passing} {
			_, err := s.Lease(ref(1), o)
			require.ErrorIs(t, err, blockio.ErrCompressed, name)
			require.ErrorContains(t, err, "/s/msgs/1.blk")
			require.Zero(t, c.Open())
			require.Zero(t, files.open.Load())
		}
	}
	for _, data := range []string{"", "c", "cm", "cmp", "cmP\x01", "xcmp"} {
		putBlock(t, files, "/s", 1, []byte(data))
		b := lease(t, s, 1, passing)
		require.Equal(t, data, string(contentOf(t, b)))
		b.Release()
	}
}

func TestIndexIdentityOfALeasedBlock(t *testing.T) {
	eachWorld(t, func(t *testing.T, fsys blockio.FS, s *blockio.BlockSource) {
		b := lease(t, s, 1, lookUp)
		file, err := fsys.OpenFile(b.Path(), blockio.ModeRead)
		require.NoError(t, err)
		want, err := blockindex.IdentityOf(file, 1)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		got, err := blockindex.IdentityOf(b, 1)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NotZero(t, got.ModTime)
		b.Release()
	})
}

// TestLeaseLeaksNothing fails each operation on files in turn.
func TestLeaseLeaksNothing(t *testing.T) {
	counted := &openCountingFS{FS: blocktest.NewMemFS()}
	putBlocks(t, counted, "/s", 1, 100)
	for _, o := range []blockio.LeaseOptions{lookUp, passing} {
		for index := 0; ; index++ {
			faults := blocktest.NewFaultFS(counted)
			faults.SetHook(blocktest.FailAt(index, blocktest.ErrIO))
			c := blockio.NewBlockCache(4, 0)
			s := c.Source(faults, "/s", "S")
			b, err := s.Lease(ref(1), o)
			all := faults.Count()
			if err == nil {
				b.Release()
				s.Close() // a close that fails is of no interest: nothing was written
			} else {
				require.ErrorIs(t, err, blocktest.ErrIO)
				again := lease(t, s, 1, o)
				again.Release()
				s.Close()
			}
			require.Zero(t, c.Open(), "operation %d", index)
			require.Zero(t, counted.open.Load(), "operation %d", index)
			if err == nil && index > all {
				require.Equal(t, 3, all, "an open, a stat, and a look at the prefix")
				break
			}
		}
	}
}

// TestLeaksNoDescriptors on the real file system, mapped and not.
func TestLeaksNoDescriptors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	putBlocks(t, blockio.OS, dir, 20, 5000)
	before := descriptors(t)
	c := blockio.NewBlockCache(5, 0)
	s := c.Source(blockio.OS, dir, "S")
	for i := range 200 {
		o := []blockio.LeaseOptions{lookUp, growing, passing}[i%3]
		b := lease(t, s, uint32(i%20+1), o)
		if i%11 == 0 {
			b.Drop()
		}
		b.Release()
	}
	require.Equal(t, 5, c.Open())
	if before >= 0 {
		require.Equal(t, before+5, descriptors(t))
	}
	s.Close()
	require.Equal(t, before, descriptors(t))
}
