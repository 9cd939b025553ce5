package blockio_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestOverlayIsAFileSystem of which nothing reaches the one below.
func TestOverlayIsAFileSystem(t *testing.T) {
	blocktest.TestFS(t, func(t *testing.T) (blockio.FS, string) {
		dir := t.TempDir()
		below := blocktest.NewFaultFS(blockio.OS)
		below.SetHook(func(op blocktest.Op) blocktest.Fault {
			switch op.Kind {
			case blocktest.OpOpen, blocktest.OpRead, blocktest.OpStat, blocktest.OpClose, blocktest.OpReadDir:
				return blocktest.Fault{}
			}
			t.Error("not a read:", op)
			return blocktest.Fault{Err: blocktest.ErrIO}
		})
		o, err := blockio.NewOverlay(below, dir)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, o.Close()) })
		return o, dir
	})
}

// overlayOf writes files into a new directory of a stream, and looks at it.
func overlayOf(t *testing.T, files map[string]string) (o *blockio.Overlay, dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "msgs"), 0o700))
	for name, data := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
	}
	o, err := blockio.NewOverlay(blockio.OS, dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.Close()) })
	return o, dir
}

func readOverlay(o *blockio.Overlay, name string) (string, error) {
	f, err := o.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return "", err
	}
	stat, err := f.Stat()
	data := make([]byte, stat.Size)
	if err == nil {
		_, err = f.ReadAt(data, 0)
	}
	return string(data), errors.Join(err, f.Close())
}

// TestOverlayShowsWhatWas: what somebody else removes, replaces or adds later is not seen, and what is changed in
// place is an error.
func TestOverlayShowsWhatWas(t *testing.T) {
	o, dir := overlayOf(t, map[string]string{
		"meta.inf": "meta", "msgs/1.blk": "one", "msgs/2.blk": "two", "msgs/3.blk": "three", "msgs/1.bix": "index", "msgs/4.blk": "four",
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Remove(path("msgs/1.blk")))
	require.NoError(t, os.WriteFile(path("new"), []byte("TWO"), 0o600))
	require.NoError(t, os.Rename(path("new"), path("msgs/2.blk")))
	require.NoError(t, os.WriteFile(path("msgs/3.blk"), []byte("THREE and more"), 0o600))
	require.NoError(t, os.WriteFile(path("msgs/4.blk"), []byte("4"), 0o600))
	require.NoError(t, os.WriteFile(path("msgs/5.blk"), []byte("five"), 0o600))
	require.NoError(t, os.WriteFile(path("msgs/1.bix"), []byte("another index"), 0o600))
	for name, want := range map[string]string{"meta.inf": "meta", "msgs/1.blk": "one", "msgs/2.blk": "two", "msgs/4.blk": "four"} {
		got, err := readOverlay(o, path(name))
		require.NoError(t, err, name)
		require.Equal(t, want, got)
	}
	_, err := readOverlay(o, path("msgs/3.blk"))
	require.ErrorIs(t, err, blockio.ErrChanged)
	var changed *blockio.ChangedError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, blockio.ChangedError{Path: path("msgs/3.blk"), What: "had 5 bytes, has 14"}, *changed)
	for _, name := range []string{"msgs/5.blk", "msgs/1.bix"} {
		_, err := readOverlay(o, path(name))
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	entries, err := o.ReadDir(path("msgs"))
	require.NoError(t, err)
	require.Len(t, entries, 5)
}

// changingFS calls a function when it opens a file, once.
type changingFS struct {
	blockio.FS
	name   string
	change func()
}

func (c *changingFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	f, err := c.FS.OpenFile(name, mode)
	if change := c.change; filepath.Base(name) == c.name && change != nil {
		c.change = nil
		change()
	}
	return f, err
}

// TestOverlayOfAChangingDirectory: if no instant is known at which the directory was as it was seen, that is an error.
func TestOverlayOfAChangingDirectory(t *testing.T) {
	write := func(name, data string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600) }
	}
	remove := func(name string) func(dir string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
	}
	for name, row := range map[string]struct {
		change func(dir string) error
		what   string // the error, empty for none
	}{
		"the last block grows":   {write("msgs/3.blk", "three and more"), ""},
		"another block comes":    {write("msgs/4.blk", "four"), "msgs/4.blk: was made"},
		"an index comes":         {write("msgs/2.bix", "index"), ""},
		"a file is being made":   {write("msgs/2.rewrite.tmp", "two"), ""},
		"the lock changes":       {write("millrace.lock", "me"), ""},
		"the last block shrinks": {write("msgs/3.blk", "3"), "msgs/3.blk: had 5 bytes, has 1"},
		"the last block goes":    {remove("msgs/3.blk"), "msgs/3.blk: was removed"},
		"a block grows":          {write("msgs/2.blk", "two and more"), "msgs/2.blk: had 3 bytes, has 12"},
		"a block goes":           {remove("msgs/1.blk"), "msgs/1.blk: was removed"},
		"a block comes back":     {write("msgs/0.blk", ""), "msgs/0.blk: was made"},
		"a file comes":           {write("msgs/index.db", "state"), "msgs/index.db: was made"},
		"the directory goes":     {remove("msgs"), "was removed"},
		"the sum changes":        {write("meta.sum", "another sum"), "meta.sum: had 3 bytes, has 11"},
		"a file of the root":     {write("sources.db", "sources"), "sources.db: was made"},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := overlayOf(t, map[string]string{
				"meta.inf": "meta", "meta.sum": "sum", "msgs/1.blk": "one", "msgs/2.blk": "two", "msgs/3.blk": "three", "millrace.lock": "",
			})
			for _, when := range []string{"meta.inf", "3.blk"} {
				fsys := &changingFS{blockio.OS, when, func() { require.NoError(t, row.change(dir)) }}
				o, err := blockio.NewOverlay(fsys, dir)
				if row.what == "" {
					require.NoError(t, err)
					require.NoError(t, o.Close())
					continue
				}
				require.ErrorIs(t, err, blockio.ErrChanged)
				require.ErrorContains(t, err, row.what)
				return
			}
		})
	}
}
