package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

const lockFile = "stream.lock"

func to(fsys blockio.FS) archive.Destination {
	return archive.Destination{
		FS: fsys, Dir: "data", LockFile: lockFile, Holder: "a test",
		Check: func(*blockio.StreamMeta) error { return nil },
	}
}

// treeOf returns the content of all files below a directory. Those of directories are empty.
func treeOf(t testing.TB, fsys blockio.FS, dir string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	var walk func(dir, as string)
	walk = func(dir, as string) {
		entries, err := fsys.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		require.NoError(t, err)
		for _, e := range entries {
			name := as + e.Name
			if e.IsDir {
				tree[name+"/"] = ""
				walk(filepath.Join(dir, e.Name), name+"/")
				continue
			}
			data, err := blockio.ReadFile(fsys, filepath.Join(dir, e.Name), 1<<20)
			require.NoError(t, err)
			tree[name] = string(data)
		}
	}
	walk(dir, "")
	return tree
}

// wholeTree is what Unpack makes of the plain archive.
func wholeTree(t testing.TB) map[string]string {
	tree := map[string]string{"ORDERS/": "", "ORDERS/msgs/": "", "ORDERS/obs/": "", "ORDERS/obs/C/": "", "ORDERS/" + lockFile: ""}
	for _, e := range plain(t) {
		tree["ORDERS/"+e.name] = string(e.data)
	}
	return tree
}

// TestUnpackMakesTheDirectory and nothing beside it, and releases the lock.
func TestUnpackMakesTheDirectory(t *testing.T) {
	mem := blocktest.NewMemFS()
	contents, err := archive.Unpack(t.Context(), bytes.NewReader(archiveOf(t, plain(t))), to(mem))
	require.NoError(t, err)
	require.Equal(t, stream, contents.Stream)
	require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))
	lock, err := mem.Lock("data/ORDERS/"+lockFile, "another")
	require.NoError(t, err)
	require.NoError(t, lock.Close())

	_, err = archive.Unpack(t.Context(), bytes.NewReader(archiveOf(t, plain(t))), to(mem))
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))
}

// TestTakenNamesAreRefused whatever has them, also when it comes while the archive is unpacked.
func TestTakenNamesAreRefused(t *testing.T) {
	takers := map[string]func(t *testing.T, mem *blocktest.MemFS){
		"an empty directory": func(t *testing.T, mem *blocktest.MemFS) { require.NoError(t, mem.MkdirAll("data/ORDERS")) },
		"a directory":        func(t *testing.T, mem *blocktest.MemFS) { require.NoError(t, mem.MkdirAll("data/ORDERS/msgs")) },
		"a file": func(t *testing.T, mem *blocktest.MemFS) {
			require.NoError(t, mem.MkdirAll("data"))
			file, err := mem.OpenFile("data/ORDERS", blockio.ModeCreate)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		},
	}
	data := archiveOf(t, plain(t))
	for name, take := range takers {
		t.Run(name, func(t *testing.T) {
			mem := blocktest.NewMemFS()
			take(t, mem)
			before := treeOf(t, mem, "data")
			_, err := archive.Unpack(t.Context(), bytes.NewReader(data), to(mem))
			require.ErrorIs(t, err, fs.ErrExist)
			require.Equal(t, before, treeOf(t, mem, "data"))

			mem = blocktest.NewMemFS()
			destination, done := to(mem), false
			destination.Progress = func(int64) {
				if !done {
					done = true
					take(t, mem)
				}
			}
			_, err = archive.Unpack(t.Context(), bytes.NewReader(data), destination)
			require.ErrorIs(t, err, fs.ErrExist)
			require.Equal(t, before, treeOf(t, mem, "data"))
		})
	}
}

// TestRefusedArchivesLeaveNothing: cut anywhere, refused by the caller, too large, or cancelled.
func TestRefusedArchivesLeaveNothing(t *testing.T) {
	data := archiveOf(t, plain(t))
	mem := blocktest.NewMemFS()
	require.NoError(t, mem.MkdirAll("data"))
	nothing := func(err error) {
		t.Helper()
		require.Error(t, err)
		require.Empty(t, treeOf(t, mem, "data"))
	}
	for cut := range len(data) {
		_, err := archive.Unpack(t.Context(), bytes.NewReader(data[:cut]), to(mem))
		nothing(err)
	}
	destination, refused := to(mem), errors.New("no")
	destination.Check = func(*blockio.StreamMeta) error { return refused }
	_, err := archive.Unpack(t.Context(), bytes.NewReader(data), destination)
	require.ErrorIs(t, err, refused)
	nothing(err)
	for limit := int64(1); limit < 8000; limit += 500 {
		destination = to(mem)
		destination.MaxBytes = limit
		_, err = archive.Unpack(t.Context(), bytes.NewReader(data), destination)
		require.ErrorIs(t, err, archive.ErrLimit)
		nothing(err)
	}
	for n := range len(plain(t)) {
		ctx, end := context.WithCancelCause(t.Context())
		destination, left := to(mem), n
		destination.Progress = func(int64) {
			if left--; left < 0 {
				end(refused)
			}
		}
		_, err = archive.Unpack(ctx, bytes.NewReader(data), destination)
		require.ErrorIs(t, err, refused)
		nothing(err)
	}
}

// TestEachFailureLeavesNothing that is taken for a stream, and the next attempt succeeds and cleans up.
func TestEachFailureLeavesNothing(t *testing.T) {
	data := archiveOf(t, plain(t))
	for n := 0; ; n++ {
		mem := blocktest.NewMemFS()
		faulty := blocktest.NewFaultFS(mem)
		faulty.SetHook(blocktest.FailAt(n, blocktest.ErrIO))
		_, err := archive.Unpack(t.Context(), bytes.NewReader(data), to(faulty))
		if err == nil {
			require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))
			require.Greater(t, n, 40)
			return
		}
		require.ErrorIs(t, err, blocktest.ErrIO)
		left := treeOf(t, mem, "data")
		if _, shown := left["ORDERS/"]; shown { // the last sync failed
			require.Equal(t, wholeTree(t), left)
			continue
		}
		_, err = archive.Unpack(t.Context(), bytes.NewReader(data), to(mem))
		require.NoError(t, err, "failure %d", n)
		require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))
	}
}

// TestCrashLeavesAllOrNothing before each file operation, whatever the disk keeps.
func TestCrashLeavesAllOrNothing(t *testing.T) {
	data := archiveOf(t, plain(t))
	mem := blocktest.NewMemFS()
	faulty := blocktest.NewFaultFS(mem)
	rng := rand.New(rand.NewSource(1))
	var taking sync.Mutex // the syncs are on another goroutine
	var images []*blocktest.MemFS
	take := func() {
		taking.Lock()
		defer taking.Unlock()
		for _, mode := range blocktest.CrashModes {
			images = append(images, mem.CrashImage(mode, rng))
		}
	}
	faulty.SetHook(func(blocktest.Op) blocktest.Fault {
		take()
		return blocktest.Fault{}
	})
	_, err := archive.Unpack(t.Context(), bytes.NewReader(data), to(faulty))
	require.NoError(t, err)
	acknowledged := len(images)
	take()
	whole, shown := wholeTree(t), 0
	for i, image := range images {
		tree := treeOf(t, image, "data")
		if _, there := tree["ORDERS/"]; there || i >= acknowledged {
			shown++
			delete(tree, "ORDERS/"+lockFile) // it need not be empty
			want := treeOf(t, mem, "data")
			delete(want, "ORDERS/"+lockFile)
			require.Equal(t, want, tree)
			continue
		}
		for name := range tree {
			require.True(t, strings.HasPrefix(name, ".restore-ORDERS-"), name)
		}
		_, err := archive.Unpack(t.Context(), bytes.NewReader(data), to(image))
		require.NoError(t, err)
		require.Equal(t, whole, treeOf(t, image, "data"))
	}
	require.Greater(t, shown, len(blocktest.CrashModes))
	require.Less(t, shown, acknowledged/2)
}

// TestAttemptsDoNotDisturbEachOther: of several at a time one succeeds, and what another is at is left alone.
func TestAttemptsDoNotDisturbEachOther(t *testing.T) {
	data := archiveOf(t, plain(t))
	mem := blocktest.NewMemFS()
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = archive.Unpack(context.Background(), io.MultiReader(bytes.NewReader(data)), to(mem))
		})
	}
	group.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		}
	}
	require.Equal(t, 1, succeeded, "%v", errs)
	require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))

	// One that begins while another is under way leaves that alone, and the one that ends first has the name.
	mem = blocktest.NewMemFS()
	destination, begun := to(mem), false
	destination.Progress = func(int64) {
		if !begun {
			begun = true
			_, err := archive.Unpack(t.Context(), bytes.NewReader(data), to(mem))
			require.NoError(t, err)
		}
	}
	_, err := archive.Unpack(t.Context(), bytes.NewReader(data), destination)
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, wholeTree(t), treeOf(t, mem, "data"))
}

// TestUnpackOnTheRealFileSystem.
func TestUnpackOnTheRealFileSystem(t *testing.T) {
	destination := to(blockio.OS)
	destination.Dir = filepath.Join(t.TempDir(), "a", "b")
	_, err := archive.Unpack(t.Context(), bytes.NewReader(archiveOf(t, plain(t))), destination)
	require.NoError(t, err)
	require.Equal(t, wholeTree(t), treeOf(t, blockio.OS, destination.Dir))
}
