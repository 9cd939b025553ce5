package blockio_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// openCountingFS counts the files that are open.
type openCountingFS struct {
	blockio.FS
	open  atomic.Int64
	opens atomic.Int64
}

type countedFile struct {
	blockio.File
	fs     *openCountingFS
	closed atomic.Bool
}

func (f *openCountingFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := f.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	f.open.Add(1)
	f.opens.Add(1)
	return &countedFile{File: file, fs: f}, nil
}

func (f *countedFile) Close() error {
	if f.closed.Swap(true) {
		return errors.New("closed twice")
	}
	f.fs.open.Add(-1)
	return f.File.Close()
}

// plain is the content of the block files of these tests: no records, but each byte
// says where it is, and of which block.
func plain(id uint32, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*7+i>>8) ^ byte(id)
	}
	return data
}

func putBlock(t testing.TB, fsys blockio.FS, dir string, id uint32, data []byte) {
	t.Helper()
	require.NoError(t, fsys.MkdirAll(blockio.BlocksDir(dir)))
	require.NoError(t, blockio.ReplaceFile(fsys, blockio.BlockPath(dir, id), data))
}

func putBlocks(t testing.TB, fsys blockio.FS, dir string, n, size int) {
	t.Helper()
	for id := uint32(1); id <= uint32(n); id++ {
		putBlock(t, fsys, dir, id, plain(id, size))
	}
}

func ref(id uint32) blockio.BlockRef { return blockio.BlockRef{ID: id} }

var (
	lookUp  = blockio.LeaseOptions{Whole: true, Keep: true}
	growing = blockio.LeaseOptions{Keep: true}
	passing = blockio.LeaseOptions{Whole: true}
)

func lease(t testing.TB, s *blockio.BlockSource, id uint32, o blockio.LeaseOptions) *blockio.Block {
	t.Helper()
	b, err := s.Lease(ref(id), o)
	require.NoError(t, err)
	return b
}

// touch leases a block and releases it.
func touch(t testing.TB, s *blockio.BlockSource, id uint32) {
	t.Helper()
	lease(t, s, id, lookUp).Release()
}

// contentOf reads a block in all the ways there are, which agree.
func contentOf(t testing.TB, b *blockio.Block) []byte {
	t.Helper()
	all, err := b.ReadAll(nil)
	require.NoError(t, err)
	again := make([]byte, len(all))
	n, err := b.ReadAt(again, 0)
	require.True(t, err == nil || n == len(all), "%v", err)
	require.True(t, bytes.Equal(all, again))
	var buffer []byte
	require.NoError(t, blockio.Guard(func() error {
		data, err := b.At(0, len(all), &buffer)
		again = bytes.Clone(data)
		return err
	}))
	require.True(t, bytes.Equal(all, again))
	return all
}

// description is a Description that says how often it was closed.
type description struct {
	heap   int64
	closed atomic.Int64
}

func (d *description) Heap() int64  { return d.heap }
func (d *description) Close() error { d.closed.Add(1); return nil }

func describeAs(d *description) func(*blockio.Block) (blockio.Description, error) {
	return func(*blockio.Block) (blockio.Description, error) { return d, nil }
}

// descriptors returns the number of open files of the process, or -1 where that
// cannot be told.
func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return -1
	}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
