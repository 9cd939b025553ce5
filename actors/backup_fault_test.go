package actors_test

import (
	"bytes"
	"io/fs"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// aBackup is a backup of a small stream, and what that has.
func aBackup(t *testing.T) (backup []byte, want []string) {
	t.Helper()
	s := open(t, actors.Config{FS: blocktest.NewMemFS(), Dir: "data", BlockSize: 4 << 10})
	for i := range 30 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	for _, sequence := range []uint64{1, 7, 30} {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	var w bytes.Buffer
	_, err := s.Backup(t.Context(), &w, actors.BackupOptions{})
	require.NoError(t, err)
	return w.Bytes(), everything(t, s)
}

// TestCrashOfARestoredBackupLeavesNoStream that an Open would find, or all of it, and the next attempt leaves only the
// stream. The crash is at every operation.
func TestCrashOfARestoredBackupLeavesNoStream(t *testing.T) {
	backup, want := aBackup(t)
	mem := blocktest.NewMemFS()
	faulty := blocktest.NewFaultFS(mem)
	images, stop := takeImages(faulty, mem, rand.New(rand.NewSource(1)), crashImage{})
	config := actors.Config{Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, FS: faulty}
	_, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
	require.NoError(t, err)
	stop()
	whole := 0
	for _, image := range *images {
		config.FS = image.mem
		_, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
		if err != nil {
			require.ErrorIs(t, err, fs.ErrExist, "%v", image.op)
			whole++
		}
		entries, err := image.mem.ReadDir("data")
		require.NoError(t, err)
		require.Len(t, entries, 1, "%v", image.op)
		require.Equal(t, "ORDERS", entries[0].Name)
		s := open(t, config)
		require.Equal(t, want, everything(t, s))
		require.NoError(t, s.Stop(t.Context()))
	}
	require.Positive(t, whole)
	require.Less(t, whole, len(*images)/4)
	t.Logf("%d crashes", len(*images))
}

// TestFaultsOfARestoredBackup: whatever call fails, there is an error and no stream, or all of it.
func TestFaultsOfARestoredBackup(t *testing.T) {
	backup, want := aBackup(t)
	failed := 0
	for n := 0; ; n++ {
		mem := blocktest.NewMemFS()
		faulty := blocktest.NewFaultFS(mem)
		faulty.SetHook(blocktest.FailAt(n, blocktest.ErrIO))
		config := actors.Config{Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, FS: faulty}
		_, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
		fired := faulty.Count() > n
		config.FS = mem
		if err != nil {
			failed++
			require.ErrorIs(t, err, blocktest.ErrIO)
			// Only the sync of the last step can fail when the stream is there.
			_, err = actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
			if err != nil {
				require.ErrorIs(t, err, fs.ErrExist)
			}
		}
		s := open(t, config)
		require.Equal(t, want, everything(t, s))
		require.NoError(t, s.Stop(t.Context()))
		if !fired {
			break
		}
	}
	require.Greater(t, failed, 50)
	t.Logf("%d calls", failed)
}

// TestReadersOnAFailingDisk: whatever call fails while a stream is opened for reading, there is an error, or what is shown is
// right as far as it is no damage; and nothing stays open.
func TestReadersOnAFailingDisk(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := actors.Config{FS: mem, Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1}
	s := open(t, config)
	for i := range 30 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	want := everything(t, s)
	require.NoError(t, s.Stop(t.Context()))
	config.ReadOnly = true
	failed := 0
	for n := 0; ; n++ {
		left := n
		fired := false
		faulty := blocktest.NewFaultFS(mem)
		faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpClose {
				return blocktest.Fault{}
			}
			if left--; left == -1 {
				fired = true
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		counted := &countingFS{FS: faulty}
		config.FS = counted
		r, err := actors.Open(t.Context(), quiet, config)
		faulty.SetHook(nil)
		if err != nil {
			failed++
			require.ErrorIs(t, err, blocktest.ErrIO)
		} else {
			require.Equal(t, want, everything(t, r), "call %d", n)
			require.NoError(t, r.Stop(t.Context()))
		}
		require.Zero(t, counted.open, "call %d", n)
		if !fired {
			break
		}
	}
	require.GreaterOrEqual(t, failed, 5)
}

// countingFS counts open files.
type countingFS struct {
	blockio.FS
	open int
}

func (c *countingFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := c.FS.OpenFile(name, mode)
	if err == nil {
		c.open++
		file = &countedFile{file, c}
	}
	return file, err
}

type countedFile struct {
	blockio.File
	of *countingFS
}

func (f *countedFile) Close() error {
	f.of.open--
	return f.File.Close()
}
