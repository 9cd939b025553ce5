package blocktest

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestFS holds a file system to what blockio.FS promises, as far as that can be
// seen without a crash. newFS returns a file system and an empty directory in it.
func TestFS(t *testing.T, newFS func(t *testing.T) (fsys blockio.FS, dir string)) {
	rows := []struct {
		name string
		test func(t *testing.T, fsys blockio.FS, dir string)
	}{
		{"open modes", testModes},
		{"read and write", testReadWrite},
		{"truncate", testTruncate},
		{"modification time", testModTime},
		{"rename", testRename},
		{"remove", testRemove},
		{"directories", testDirs},
		{"lock", testLock},
		{"replace file", testReplaceFile},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			fsys, dir := newFS(t)
			row.test(t, fsys, dir)
		})
	}
}

func put(t *testing.T, fsys blockio.FS, name, text string) {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeReplace)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte(text), 0)
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	require.NoError(t, file.Close())
}

func get(t *testing.T, fsys blockio.FS, name string) string {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	text := contents(t, file)
	require.NoError(t, file.Close())
	return text
}

func contents(t *testing.T, file blockio.File) string {
	t.Helper()
	stat, err := file.Stat()
	require.NoError(t, err)
	data := make([]byte, stat.Size)
	n, err := file.ReadAt(data, 0)
	if !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	require.Equal(t, int(stat.Size), n)
	return string(data)
}

func testModes(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "a")
	for _, mode := range []blockio.OpenMode{blockio.ModeRead, blockio.ModeReadWrite} {
		_, err := fsys.OpenFile(name, mode)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	file, err := fsys.OpenFile(name, blockio.ModeCreate)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = fsys.OpenFile(name, blockio.ModeCreate)
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = fsys.OpenFile(name, blockio.ModeReplace+1)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = fsys.OpenFile(filepath.Join(dir, "none", "a"), blockio.ModeCreate)
	require.ErrorIs(t, err, fs.ErrNotExist)

	file, err = fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("y"), 0)
	require.Error(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "x", get(t, fsys, name))
	file, err = fsys.OpenFile(name, blockio.ModeReplace)
	require.NoError(t, err)
	require.Empty(t, contents(t, file))
	require.NoError(t, file.Close())
	require.ErrorIs(t, file.Close(), fs.ErrClosed)
	_, err = file.Stat()
	require.Error(t, err)
	require.Error(t, file.Sync())
}

func testReadWrite(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "a")
	file, err := fsys.OpenFile(name, blockio.ModeCreate)
	require.NoError(t, err)
	n, err := file.WriteAt([]byte("world"), 5000)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	_, err = file.WriteAt([]byte("hello"), 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("W"), 5000)
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	require.Equal(t, "hello"+string(make([]byte, 4995))+"World", contents(t, file))

	buf := make([]byte, 10)
	n, err = file.ReadAt(buf, 5000)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 5, n)
	_, err = file.ReadAt(buf, 9000)
	require.ErrorIs(t, err, io.EOF)
	_, err = file.ReadAt(buf, -1)
	require.Error(t, err)
	_, err = file.WriteAt(buf, -1)
	require.Error(t, err)

	other, err := fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("J"), 0)
	require.NoError(t, err)
	require.Equal(t, "Jello", contents(t, other)[:5], "writes are seen at once")
	require.NoError(t, file.Close())
	require.NoError(t, other.Close())
	_, err = other.ReadAt(buf, 0)
	require.Error(t, err)
}

func testTruncate(t *testing.T, fsys blockio.FS, dir string) {
	file, err := fsys.OpenFile(filepath.Join(dir, "a"), blockio.ModeCreate)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("0123456789"), 4090)
	require.NoError(t, err)
	require.NoError(t, file.Truncate(4093))
	require.NoError(t, file.Truncate(4098))
	require.Equal(t, string(make([]byte, 4090))+"012\x00\x00\x00\x00\x00", contents(t, file), "what is cut does not come back")
	require.NoError(t, file.Truncate(0))
	require.Empty(t, contents(t, file))
	require.Error(t, file.Truncate(-1))
	require.NoError(t, file.Close())
}

func testModTime(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "a")
	file, err := fsys.OpenFile(name, blockio.ModeCreate)
	require.NoError(t, err)
	last := int64(0)
	for _, change := range []func() error{
		func() error { _, err := file.WriteAt([]byte("0123"), 0); return err },
		func() error { return file.Truncate(2) },
		func() error { _, err := file.WriteAt([]byte("4"), 0); return err },
	} {
		require.NoError(t, change())
		stat, err := file.Stat()
		require.NoError(t, err)
		require.GreaterOrEqual(t, stat.ModTime, last, "a real clock may be coarse")
		require.Positive(t, stat.ModTime)
		last = stat.ModTime
	}
	require.NoError(t, file.Close())
	file, err = fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, err)
	require.Equal(t, blockio.FileStat{Size: 2, ModTime: last}, stat, "neither closing nor opening is a change")
	require.NoError(t, file.Close())
}

func testRename(t *testing.T, fsys blockio.FS, dir string) {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.ErrorIs(t, fsys.Rename(a, b), fs.ErrNotExist)
	put(t, fsys, a, "new")
	put(t, fsys, b, "old")
	old, err := fsys.OpenFile(b, blockio.ModeRead)
	require.NoError(t, err)
	require.NoError(t, fsys.Rename(a, b))
	require.Equal(t, "new", get(t, fsys, b))
	require.Equal(t, "old", contents(t, old), "who has it open keeps it")
	require.NoError(t, old.Close())
	_, err = fsys.OpenFile(a, blockio.ModeRead)
	require.ErrorIs(t, err, fs.ErrNotExist)
	sub := filepath.Join(dir, "sub")
	require.NoError(t, fsys.MkdirAll(sub))
	require.NoError(t, fsys.Rename(b, filepath.Join(sub, "c")))
	require.NoError(t, fsys.Rename(sub, filepath.Join(dir, "moved")))
	require.Equal(t, "new", get(t, fsys, filepath.Join(dir, "moved", "c")))
}

func testRemove(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "sub", "a")
	require.ErrorIs(t, fsys.Remove(name), fs.ErrNotExist)
	require.NoError(t, fsys.MkdirAll(filepath.Join(dir, "sub")))
	put(t, fsys, name, "text")
	require.Error(t, fsys.Remove(filepath.Join(dir, "sub")), "not empty")
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	require.NoError(t, fsys.Remove(name))
	require.Equal(t, "text", contents(t, file))
	require.NoError(t, file.Close())
	require.NoError(t, fsys.Remove(filepath.Join(dir, "sub")))
	_, err = fsys.ReadDir(filepath.Join(dir, "sub"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func testDirs(t *testing.T, fsys blockio.FS, dir string) {
	deep := filepath.Join(dir, "x", "y", "z")
	require.NoError(t, fsys.MkdirAll(deep))
	require.NoError(t, fsys.MkdirAll(deep))
	require.NoError(t, fsys.SyncDir(deep))
	require.ErrorIs(t, fsys.SyncDir(filepath.Join(dir, "none")), fs.ErrNotExist)
	put(t, fsys, filepath.Join(dir, "b"), "12345")
	put(t, fsys, filepath.Join(dir, "a"), "")
	require.Error(t, fsys.MkdirAll(filepath.Join(dir, "b")))
	require.Error(t, fsys.MkdirAll(filepath.Join(dir, "b", "c")))
	entries, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for i := range entries {
		if entries[i].IsDir {
			entries[i].Size = 0
		} else {
			require.NotZero(t, entries[i].ModTime)
		}
		entries[i].ModTime = 0
	}
	require.Equal(t, []blockio.Entry{{Name: "a"}, {Name: "b", Size: 5}, {Name: "x", IsDir: true}}, entries)
	_, err = fsys.ReadDir(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func testLock(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "lock")
	lock, err := fsys.Lock(name, "pid 1 on a, since noon")
	require.NoError(t, err)
	_, err = fsys.Lock(name, "pid 2")
	require.ErrorIs(t, err, blockio.ErrLocked)
	var locked *blockio.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, blockio.LockedError{Path: name, Holder: "pid 1 on a, since noon"}, *locked)
	require.NoError(t, lock.Close())
	require.Error(t, lock.Close())
	lock, err = fsys.Lock(name, "3")
	require.NoError(t, err)
	_, err = fsys.Lock(name, "4")
	require.ErrorContains(t, err, "held by 3")
	require.NoError(t, lock.Close())
	_, err = fsys.Lock(filepath.Join(dir, "none", "lock"), "")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func testReplaceFile(t *testing.T, fsys blockio.FS, dir string) {
	name := filepath.Join(dir, "a")
	require.NoError(t, blockio.ReplaceFile(fsys, name, []byte("long text")))
	require.NoError(t, blockio.ReplaceFile(fsys, name, []byte("short")))
	require.Equal(t, "short", get(t, fsys, name))
	require.NoError(t, blockio.ReplaceFile(fsys, name, nil))
	require.Empty(t, get(t, fsys, name))
	require.Error(t, blockio.ReplaceFile(fsys, filepath.Join(dir, "none", "a"), nil))
	entries, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing but the file is left")
}
