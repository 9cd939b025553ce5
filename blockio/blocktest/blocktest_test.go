package blocktest

import (
	"io/fs"
	"math/rand"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

func TestConformance(t *testing.T) {
	rows := map[string]func(t *testing.T) (blockio.FS, string){
		"os":  func(t *testing.T) (blockio.FS, string) { return blockio.OS, t.TempDir() },
		"mem": func(*testing.T) (blockio.FS, string) { return NewMemFS(), "/" },
		"mem in a directory": func(t *testing.T) (blockio.FS, string) {
			m := NewMemFS()
			require.NoError(t, m.MkdirAll("a/b"))
			return m, "a/b"
		},
		"image":          func(*testing.T) (blockio.FS, string) { return NewMemFS().Clone(), "/" },
		"fault over os":  func(t *testing.T) (blockio.FS, string) { return NewFaultFS(blockio.OS), t.TempDir() },
		"fault over mem": func(*testing.T) (blockio.FS, string) { return NewFaultFS(NewMemFS()), "/" },
		"fault over fault": func(*testing.T) (blockio.FS, string) {
			return NewFaultFS(NewFaultFS(NewMemFS())), "/"
		},
	}
	for name, newFS := range rows {
		t.Run(name, func(t *testing.T) { TestFS(t, newFS) })
	}
}

func open(t *testing.T, fsys blockio.FS, name string, mode blockio.OpenMode) blockio.File {
	t.Helper()
	file, err := fsys.OpenFile(name, mode)
	require.NoError(t, err)
	return file
}

func writeText(t *testing.T, file blockio.File, text string, at int64) {
	t.Helper()
	_, err := file.WriteAt([]byte(text), at)
	require.NoError(t, err)
}

// outcomes returns what is found under a name after many crashes of a mode: the
// content, or "none".
func outcomes(t *testing.T, m *MemFS, mode CrashMode, name string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	rng := rand.New(rand.NewSource(1))
	for range 300 {
		image := m.CrashImage(mode, rng)
		if _, err := image.OpenFile(name, blockio.ModeRead); err != nil {
			found["none"] = true
			continue
		}
		found[get(t, image, name)] = true
	}
	return found
}

func set(texts ...string) map[string]bool {
	found := make(map[string]bool)
	for _, text := range texts {
		found[text] = true
	}
	return found
}

func TestSyncedFileWithoutItsEntryMayBeGone(t *testing.T) {
	m := NewMemFS()
	file := open(t, m, "/a", blockio.ModeCreate)
	writeText(t, file, "text", 0)
	require.NoError(t, file.Sync())
	require.Equal(t, set("none"), outcomes(t, m, DropUnsynced, "/a"))
	require.Equal(t, set("none", "text"), outcomes(t, m, KeepRandom, "/a"))
	require.Equal(t, set("text"), outcomes(t, m, KeepAll, "/a"))
	require.NoError(t, m.SyncDir("/"))
	for _, mode := range CrashModes {
		require.Equal(t, set("text"), outcomes(t, m, mode, "/a"), "%v", mode)
	}
}

func TestEntryWithoutItsData(t *testing.T) {
	m := NewMemFS()
	file := open(t, m, "/a", blockio.ModeCreate)
	require.NoError(t, m.SyncDir("/"))
	writeText(t, file, "text", 0)
	require.Equal(t, set(""), outcomes(t, m, DropUnsynced, "/a"))
	require.Equal(t, set("", "t", "te", "tex", "text"), outcomes(t, m, TornByte, "/a"))
	require.Equal(t, set("", "\x00\x00\x00\x00", "text"), outcomes(t, m, TornSectors, "/a"))
}

func TestUnsyncedWritesOverSynced(t *testing.T) {
	m := NewMemFS()
	file := open(t, m, "/a", blockio.ModeCreate)
	writeText(t, file, "0123", 0)
	require.NoError(t, file.Sync())
	require.NoError(t, m.SyncDir("/"))
	writeText(t, file, "a", 0)
	writeText(t, file, "bc", 3)
	require.NoError(t, file.Truncate(4))
	require.Equal(t, "a12b", get(t, m, "/a"))
	require.Equal(t, set("0123"), outcomes(t, m, DropUnsynced, "/a"))
	require.Equal(t, set("0123", "a123", "012bc", "a12bc", "012b", "a12b"), outcomes(t, m, KeepRandom, "/a"))
	require.Equal(t, set("0123", "a123", "a12b", "a12bc"), outcomes(t, m, TornByte, "/a"))
}

func TestSectorsAreTornOneByOne(t *testing.T) {
	m := NewMemFS()
	file := open(t, m, "/a", blockio.ModeCreate)
	require.NoError(t, m.SyncDir("/"))
	data := make([]byte, 1500)
	for i := range data {
		data[i] = 'x'
	}
	writeText(t, file, string(data), 100)
	masks := make(map[[4]bool]bool)
	for content := range outcomes(t, m, TornSectors, "/a") {
		full := append([]byte(content), make([]byte, 1600-len(content))...)
		var mask [4]bool
		for i := range full {
			if i < 100 {
				require.Zero(t, full[i])
				continue
			}
			first := max(100, i/512*512)
			require.Equal(t, full[first], full[i], "byte %d", i)
			mask[i/512] = full[i] == 'x'
		}
		masks[mask] = true
	}
	require.Len(t, masks, 16)
}

func TestRenameIsAllOrNothing(t *testing.T) {
	m := NewMemFS()
	put(t, m, "/a", "old")
	require.NoError(t, m.SyncDir("/"))
	put(t, m, "/a.tmp", "new")
	require.NoError(t, m.Rename("/a.tmp", "/a"))
	require.Equal(t, set("old"), outcomes(t, m, DropUnsynced, "/a"))
	require.Equal(t, set("old", "new"), outcomes(t, m, KeepRandom, "/a"))
	require.Equal(t, set("new"), outcomes(t, m, KeepAll, "/a"))
	require.NoError(t, m.Remove("/a"))
	require.Equal(t, set("old"), outcomes(t, m, DropUnsynced, "/a"))
	require.NoError(t, m.SyncDir("/"))
	require.Equal(t, set("none"), outcomes(t, m, KeepRandom, "/a"))
}

func TestRenameAcrossDirectoriesIsOneChange(t *testing.T) {
	m := NewMemFS()
	require.NoError(t, m.MkdirAll("/x"))
	require.NoError(t, m.MkdirAll("/y"))
	put(t, m, "/x/a", "text")
	require.NoError(t, m.SyncDir("/x"))
	require.NoError(t, m.Rename("/x/a", "/y/a"))
	rng := rand.New(rand.NewSource(1))
	for range 100 {
		image := m.CrashImage(KeepRandom, rng)
		x, err := image.ReadDir("/x")
		require.NoError(t, err)
		y, err := image.ReadDir("/y")
		require.NoError(t, err)
		require.Equal(t, 1, len(x)+len(y))
	}
	require.NoError(t, m.SyncDir("/y"))
	require.Equal(t, set("none"), outcomes(t, m, DropUnsynced, "/x/a"))
	require.Equal(t, set("text"), outcomes(t, m, DropUnsynced, "/y/a"))
}

// TestImagesAreApart: writing to an image, or to the original, changes no other.
func TestImagesAreApart(t *testing.T) {
	m := NewMemFS()
	put(t, m, "/a", "one")
	image := m.Clone()
	again := image.Clone()
	writeText(t, open(t, m, "/a", blockio.ModeReadWrite), "two", 0)
	writeText(t, open(t, image, "/a", blockio.ModeReadWrite), "three", 0)
	require.Equal(t, "two", get(t, m, "/a"))
	require.Equal(t, "three", get(t, image, "/a"))
	require.Equal(t, "one", get(t, again, "/a"))
	require.Equal(t, set("one"), outcomes(t, image, DropUnsynced, "/a"), "an image is durable as it is")
}

func TestLocksDieWithTheCrash(t *testing.T) {
	m := NewMemFS()
	_, err := m.Lock("/lock", "me")
	require.NoError(t, err)
	_, err = m.Clone().Lock("/lock", "you")
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	f := NewFaultFS(NewMemFS())
	file := open(t, f, "/a", blockio.ModeCreate)
	writeText(t, file, "12345", 0)
	require.Equal(t, 2, f.Count())
	require.Equal(t, 1, f.CountOf(OpWrite))

	f.SetHook(FailAt(2, ErrIO))
	require.ErrorIs(t, file.Sync(), syscall.EIO)
	require.NoError(t, file.Sync(), "a fault that passes")
	f.SetHook(FailFrom(4, ErrNoSpace, OpWrite))
	for range 2 {
		_, err := file.WriteAt([]byte("x"), 0)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorIs(t, err, ErrInjected)
	}
	require.NoError(t, file.Sync())

	f.SetHook(func(op Op) Fault { return Fault{Err: ErrIO, Short: 2} })
	n, err := file.WriteAt([]byte("abc"), 0)
	require.ErrorIs(t, err, ErrIO)
	require.Equal(t, 2, n)
	f.SetHook(nil)
	require.Equal(t, "ab345", get(t, f, "/a"))

	waited := false
	f.SetHook(func(op Op) Fault { return Fault{Wait: func() { waited = true }} })
	require.NoError(t, file.Sync())
	require.True(t, waited)

	f.SetHook(CrashAt(f.Count()))
	require.ErrorIs(t, f.SyncDir("/"), ErrCrashed)
	require.True(t, f.Crashed())
	require.ErrorIs(t, file.Sync(), ErrCrashed)
	_, err = f.OpenFile("/a", blockio.ModeRead)
	require.ErrorIs(t, err, ErrCrashed)
	require.ErrorIs(t, file.Close(), ErrCrashed)
}

func TestEveryKindHasItsName(t *testing.T) {
	seen := make(map[string]bool)
	for kind := range opKinds {
		require.False(t, seen[kind.String()])
		seen[kind.String()] = true
	}
	for _, mode := range CrashModes {
		require.NotEqual(t, "unknown", mode.String())
	}
	require.Equal(t, "#3 write /a (5 at 7)", Op{Kind: OpWrite, Name: "/a", Index: 3, Size: 5, Offset: 7}.String())
}

func BenchmarkCrashImage(b *testing.B) {
	m := NewMemFS()
	for _, name := range []string{"/1.blk", "/2.blk", "/3.blk"} {
		file, err := m.OpenFile(name, blockio.ModeCreate)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = file.WriteAt(make([]byte, 64<<10), 0)
		_ = file.Sync()
		_, _ = file.WriteAt(make([]byte, 4<<10), 64<<10)
	}
	_ = m.SyncDir("/")
	rng := rand.New(rand.NewSource(1))
	for b.Loop() {
		m.CrashImage(TornSectors, rng)
	}
}

func modTime(t *testing.T, fsys blockio.FS, name string) int64 {
	t.Helper()
	file := open(t, fsys, name, blockio.ModeRead)
	stat, err := file.Stat()
	require.NoError(t, err)
	return stat.ModTime
}

// TestModTimesCountChanges: no two changes have the same time, also after a crash,
// and a change that is lost takes its time along.
func TestModTimesCountChanges(t *testing.T) {
	m := NewMemFS()
	file := open(t, m, "/a", blockio.ModeCreate)
	require.NoError(t, m.SyncDir("/"))
	times := []int64{modTime(t, m, "/a")}
	for _, change := range []func() error{
		func() error { _, err := file.WriteAt([]byte("one"), 0); return err },
		func() error { _, err := file.WriteAt([]byte("one"), 0); return err },
		func() error { return file.Truncate(3) },
	} {
		require.NoError(t, change())
		times = append(times, modTime(t, m, "/a"))
		require.Greater(t, times[len(times)-1], times[len(times)-2])
	}
	last := times[len(times)-1]
	require.NoError(t, file.Sync())
	require.Equal(t, last, modTime(t, m, "/a"))
	writeText(t, file, "two", 0)
	require.Equal(t, last, modTime(t, m.CrashImage(DropUnsynced, nil), "/a"))
	for _, image := range []*MemFS{m.Clone(), m.Fork()} {
		before := modTime(t, image, "/a")
		require.Equal(t, modTime(t, m, "/a"), before)
		put(t, image, "/b", "")
		writeText(t, open(t, image, "/a", blockio.ModeReadWrite), "x", 0)
		require.Greater(t, modTime(t, image, "/a"), before)
	}
}

// TestUnsyncedDirectoryIsLost: with all below it, synced or not, unless MkdirAll or SyncDir
// made its own entry durable.
func TestUnsyncedDirectoryIsLost(t *testing.T) {
	begin := func() *MemFS {
		m := NewMemFS()
		require.NoError(t, m.MkdirAll("/a"))
		require.NoError(t, m.Mkdir("/a/b"))
		require.ErrorIs(t, m.Mkdir("/a/b"), fs.ErrExist)
		require.ErrorIs(t, m.Mkdir("/none/b"), fs.ErrNotExist)
		return m
	}
	fill := func(m *MemFS) {
		file := open(t, m, "/a/b/c", blockio.ModeCreate)
		writeText(t, file, "text", 0)
		require.NoError(t, file.Sync())
		require.NoError(t, m.SyncDir("/a/b"))
	}
	m := begin()
	fill(m)
	_, err := m.CrashImage(DropUnsynced, nil).ReadDir("/a/b")
	require.ErrorIs(t, err, fs.ErrNotExist)
	for name, mend := range map[string]func(*MemFS) error{
		"mkdir":        func(m *MemFS) error { return m.MkdirAll("/a/b") },
		"mkdir, below": func(m *MemFS) error { return m.MkdirAll("/a/b/d") },
		"sync":         func(m *MemFS) error { return m.SyncDir("/a") },
	} {
		m = begin()
		require.NoError(t, mend(m), name)
		fill(m)
		file := open(t, m.CrashImage(DropUnsynced, nil), "/a/b/c", blockio.ModeRead)
		require.NoError(t, file.Close())
	}
	m = begin()
	open(t, m, "/a/other", blockio.ModeCreate)
	require.NoError(t, m.MkdirAll("/a/b"))
	_, err = m.CrashImage(DropUnsynced, nil).OpenFile("/a/other", blockio.ModeRead)
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing else became durable")
}

// TestRotIsDurableAndLeavesTheTime as a disk does whose bits change.
func TestRotIsDurableAndLeavesTheTime(t *testing.T) {
	m := NewMemFS()
	f, err := m.OpenFile("a", blockio.ModeCreate)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("abc"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("."))
	before, err := f.Stat()
	require.NoError(t, err)
	require.NoError(t, m.Rot("a", func(held []byte) []byte {
		require.Equal(t, "abc", string(held))
		return []byte("xy")
	}))
	after, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, blockio.FileStat{Size: 2, ModTime: before.ModTime}, after)
	left, err := m.CrashImage(DropUnsynced, nil).OpenFile("a", blockio.ModeRead)
	require.NoError(t, err)
	data := make([]byte, 2)
	_, err = left.ReadAt(data, 0)
	require.NoError(t, err)
	require.Equal(t, "xy", string(data))
	require.ErrorIs(t, m.Rot("b", nil), fs.ErrNotExist)
}
