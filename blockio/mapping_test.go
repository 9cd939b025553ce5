package blockio_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// canMap: on these systems the real file system maps files.
func canMap() bool {
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly":
		return true
	}
	return false
}

func writeMapped(t testing.TB, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	return name
}

func mapName(t testing.TB, name string, size int64) (*blockio.Mapping, bool) {
	t.Helper()
	file, err := blockio.OS.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	m, ok := blockio.MapFile(file, size)
	require.NoError(t, file.Close())
	return m, ok
}

func TestMapping(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 5000)
	name := writeMapped(t, data)
	m, ok := mapName(t, name, int64(len(data)))
	require.Equal(t, canMap(), ok)
	if !ok {
		return
	}
	require.NoError(t, os.Remove(name))
	require.Equal(t, data, m.Bytes(), "neither the closed file nor the removed name matters")
	for _, at := range [][2]int64{{0, 1}, {5000, 20000}, {-9, 1 << 40}, {49999, 50000}, {7, 7}, {60000, 70000}, {9, 3}} {
		require.NoError(t, m.Populate(at[0], at[1]), "%v", at)
	}
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.Nil(t, m.Bytes())
	require.NoError(t, m.Populate(0, 10))
}

func TestWhatCannotBeMapped(t *testing.T) {
	name := writeMapped(t, []byte("text"))
	for _, size := range []int64{0, -1, -1 << 63} {
		_, ok := mapName(t, name, size)
		require.False(t, ok)
	}
	closed, err := blockio.OS.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	_, ok := blockio.MapFile(closed, 4)
	require.False(t, ok)
	m := blocktest.NewMemFS()
	for _, fsys := range []blockio.FS{m, blocktest.NewFaultFS(m), blocktest.NewFaultFS(blockio.OS)} {
		at := "/a"
		if fsys != blockio.FS(m) {
			at = filepath.Join(t.TempDir(), "a")
		}
		require.NoError(t, m.MkdirAll(filepath.Dir(at)))
		file, err := fsys.OpenFile(at, blockio.ModeReplace)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte("text"), 0)
		require.NoError(t, err)
		_, ok := blockio.MapFile(file, 4)
		require.False(t, ok)
		require.NoError(t, file.Close())
	}
}

// TestTruncatedMappingIsAnError reads what is no longer there, also through the
// assembly of the standard library.
func TestTruncatedMappingIsAnError(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	data := make([]byte, 8*os.Getpagesize())
	name := writeMapped(t, data)
	m, ok := mapName(t, name, int64(len(data)))
	require.True(t, ok)
	require.NoError(t, os.Truncate(name, int64(os.Getpagesize())))
	reads := map[string]func() error{
		"a byte":    func() error { data[0] = m.Bytes()[len(data)-1]; return nil },
		"a copy":    func() error { copy(data, m.Bytes()); return nil },
		"a compare": func() error { data[0] = byte(bytes.Compare(m.Bytes(), data)); return nil },
	}
	for name, read := range reads {
		for range 3 {
			require.ErrorIs(t, blockio.Guard(read), blockio.ErrMapped, name)
		}
	}
	require.NoError(t, m.Populate(0, 1))
	require.ErrorIs(t, m.Populate(0, int64(len(data))), blockio.ErrMapped)
	require.NoError(t, blockio.Guard(func() error { data[0] = m.Bytes()[0]; return nil }), "what is there can be read")
	require.NoError(t, m.Close())
}

func TestGuardLeavesOtherPanicsAlone(t *testing.T) {
	own := errors.New("own")
	require.ErrorIs(t, blockio.Guard(func() error { return own }), own)
	var none []byte
	var missing *int
	for name, f := range map[string]func() error{
		"a bad index":   func() error { none[len(none)] = 0; return nil },
		"a nil pointer": func() error { *missing = 1; return nil },
		"a value":       func() error { panic("text") },
		"an error":      func() error { panic(own) },
	} {
		require.Panics(t, func() { _ = blockio.Guard(f) }, name)
	}
}

func TestGuardAllocatesNothing(t *testing.T) {
	sum := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = blockio.Guard(func() error { sum++; return nil })
	}))
}

func BenchmarkGuard(b *testing.B) {
	sum := 0
	b.ReportAllocs()
	for b.Loop() {
		_ = blockio.Guard(func() error { sum++; return nil })
	}
}
