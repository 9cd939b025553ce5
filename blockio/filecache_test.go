package blockio_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func makeFiles(t *testing.T, fsys blockio.FS, dir string, n int) []string {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = filepath.Join(dir, fmt.Sprintf("f%d", i))
		require.NoError(t, blockio.ReplaceFile(fsys, names[i], []byte{byte(i)}))
	}
	return names
}

func readByte(t *testing.T, f *blockio.CachedFile) byte {
	t.Helper()
	buf := make([]byte, 1)
	_, err := f.ReadAt(buf, 0)
	require.NoError(t, err)
	return buf[0]
}

func TestCacheKeepsTheRecentlyUsed(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	names := makeFiles(t, f, "/", 4)
	c := blockio.NewFileCache(2)
	opens := func(i int) int {
		before := f.CountOf(blocktest.OpOpen)
		file, err := c.Acquire(f, names[i])
		require.NoError(t, err)
		require.Equal(t, byte(i), readByte(t, file))
		file.Release()
		return f.CountOf(blocktest.OpOpen) - before
	}
	require.Equal(t, 1, opens(0))
	require.Equal(t, 1, opens(1))
	require.Equal(t, 0, opens(0))
	require.Equal(t, 1, opens(2)) // 1 goes: 0 was used later
	require.Equal(t, 0, opens(0))
	require.Equal(t, 1, opens(1))
	require.Equal(t, 2, c.Open())
	require.NoError(t, c.Close())
	require.Zero(t, c.Open())
	require.Equal(t, 1, opens(0))
}

func TestCacheNeverClosesWhatIsInUse(t *testing.T) {
	m := blocktest.NewMemFS()
	names := makeFiles(t, m, "/", 4)
	c := blockio.NewFileCache(1)
	var busy []*blockio.CachedFile
	for i, name := range names {
		file, err := c.Acquire(m, name)
		require.NoError(t, err)
		busy = append(busy, file)
		require.Equal(t, i+1, c.Open())
	}
	for i, file := range busy {
		require.Equal(t, byte(i), readByte(t, file))
		file.Release()
	}
	require.Equal(t, 1, c.Open())
}

func TestForgottenFileStaysReadableUntilReleased(t *testing.T) {
	m := blocktest.NewMemFS()
	name := makeFiles(t, m, "/", 1)[0]
	c := blockio.NewFileCache(5)
	old, err := c.Acquire(m, name)
	require.NoError(t, err)
	require.NoError(t, blockio.ReplaceFile(m, name, []byte{42}))
	c.Forget(name)
	c.Forget("/none")
	replaced, err := c.Acquire(m, name)
	require.NoError(t, err)
	require.Equal(t, byte(0), readByte(t, old))
	require.Equal(t, byte(42), readByte(t, replaced))
	require.NoError(t, m.Remove(name))
	c.Forget(name)
	require.Equal(t, byte(42), readByte(t, replaced))
	old.Release()
	replaced.Release()
	require.Zero(t, c.Open())
	_, err = c.Acquire(m, name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Zero(t, c.Open())
}

func TestCacheTellsFileSystemsApart(t *testing.T) {
	a, b := blocktest.NewMemFS(), blocktest.NewMemFS()
	require.NoError(t, blockio.ReplaceFile(a, "/f", []byte{1}))
	require.NoError(t, blockio.ReplaceFile(b, "/f", []byte{2}))
	c := blockio.NewFileCache(5)
	for range 2 {
		for want, fsys := range map[byte]blockio.FS{1: a, 2: b} {
			file, err := c.Acquire(fsys, "/f")
			require.NoError(t, err)
			require.Equal(t, want, readByte(t, file))
			file.Release()
		}
	}
	c.Forget("/f")
	require.Zero(t, c.Open())
}

func TestAcquireAllocatesNothingWhenCached(t *testing.T) {
	m := blocktest.NewMemFS()
	name := makeFiles(t, m, "/", 1)[0]
	c := blockio.NewFileCache(5)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		file, err := c.Acquire(m, name)
		if err != nil {
			t.Error(err)
			return
		}
		file.Release()
	}))
}

// TestCacheLeaksNoDescriptors uses the cache from many goroutines and counts the
// descriptors of the process.
func TestCacheLeaksNoDescriptors(t *testing.T) {
	names := makeFiles(t, blockio.OS, t.TempDir(), 30)
	before := descriptors(t)
	c := blockio.NewFileCache(10)
	var work sync.WaitGroup
	for g := range 8 {
		work.Go(func() {
			for i := range 500 {
				n := (i*7 + g*3) % len(names)
				file, err := c.Acquire(blockio.OS, names[n])
				if err != nil {
					t.Error(err)
					return
				}
				buf := make([]byte, 1)
				if _, err := file.ReadAt(buf, 0); err != nil || buf[0] != byte(n) {
					t.Error("read", buf, err)
				}
				if i%50 == 0 {
					c.Forget(names[n])
				}
				file.Release()
			}
		})
	}
	work.Wait()
	require.LessOrEqual(t, c.Open(), 10)
	if before >= 0 {
		require.LessOrEqual(t, descriptors(t), before+10)
	}
	require.NoError(t, c.Close())
	if before >= 0 {
		require.Equal(t, before, descriptors(t))
	}
}
