package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// readable returns a file system that fails every call that could change it, and says which there were.
func readable(base blockio.FS) (reads *blocktest.FaultFS, tried func() []blocktest.Op) {
	reads = blocktest.NewFaultFS(base)
	var ops []blocktest.Op
	reads.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch op.Kind {
		case blocktest.OpOpen, blocktest.OpRead, blocktest.OpStat, blocktest.OpClose, blocktest.OpReadDir:
			return blocktest.Fault{}
		}
		ops = append(ops, op)
		return blocktest.Fault{Err: blocktest.ErrIO}
	})
	return reads, func() []blocktest.Op { return ops }
}

// untouched returns everything there is below a directory: names, content, times of change, permissions.
func untouched(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all[path] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), " ")
		if !entry.IsDir() {
			data, err := os.ReadFile(path)
			all[path] += string(data)
			return err
		}
		return nil
	}))
	return all
}

// TestDirectoriesOfNatsServerAreReadWithoutAnyChange, also from files without permission to write, on a file system
// that fails every call that writes.
func TestDirectoriesOfNatsServerAreReadWithoutAnyChange(t *testing.T) {
	for _, name := range []string{
		"basic", "headers", "empty", "first-seq", "deletes", "multi-block", "schedules", "corrupted-tail", "many-subjects", "purged",
		"head-tombstones-lost", "corrupted-tail-index", "compressed", "ttl", "encrypted",
	} {
		for _, without := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " without index.db: ", without), func(t *testing.T) {
				dir, g := loadGolden(t, name)
				if without {
					dir, g = loadGoldenBlocks(t, name)
				} else if name == "corrupted-tail-index" {
					g.lost, g.lostBytes = []uint64{13}, 40
				}
				forbidWrites(t, dir)
				before := untouched(t, dir)
				reads, tried := readable(blockio.OS)
				s, err := actors.Open(t.Context(), quiet, actors.Config{
					Dir: dir, Name: g.Stream, ReadOnly: true, FS: reads, Key: actors.ServerKey("$G", "golden-master-key"),
				})
				require.NoError(t, err)
				checkGolden(t, s, &g)
				require.NoError(t, s.Stop(t.Context()))
				require.Empty(t, tried())
				require.Equal(t, before, untouched(t, dir))
			})
		}
	}
}

// forbidWrites takes the permission to write from everything below a directory, and gives it back at the end.
func forbidWrites(t *testing.T, dir string) {
	t.Helper()
	set := func(file, folder fs.FileMode) error {
		return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				return os.Chmod(path, folder)
			}
			return errors.Join(err, os.Chmod(path, file))
		})
	}
	require.NoError(t, set(0o400, 0o500))
	t.Cleanup(func() { require.NoError(t, set(0o600, 0o700)) })
}

// everything returns what a store answers about all that it has.
func everything(t *testing.T, s *actors.Store) []string {
	t.Helper()
	state, err := s.State(t.Context())
	require.NoError(t, err)
	state.Durable = 0
	all := []string{fmt.Sprintf("%+v", state)}
	for m, err := range s.Messages(t.Context()) {
		text := fmt.Sprint(m.Sequence, m.Time, m.Subject, string(m.HeaderBlock), string(m.Payload))
		var damage *blockio.CorruptionError
		if errors.As(err, &damage) {
			text = fmt.Sprint("damaged ", damage.Block, damage.Sequence, damage.Last)
		} else {
			require.NoError(t, err)
		}
		all = append(all, text)
	}
	totals, err := s.SubjectsTotals(t.Context())
	require.NoError(t, err)
	pending, _, err := s.NumPending(t.Context(), 0)
	require.NoError(t, err)
	return append(all, fmt.Sprint(totals), fmt.Sprint(pending))
}

// checkReader opens what is in a file system for reading, and wants it to show what a store that may write shows, and
// not to change anything.
func checkReader(t *testing.T, mem *blocktest.MemFS, config actors.Config, damaged bool, what string) {
	t.Helper()
	reads, tried := readable(mem)
	writes := mem.Fork()
	before := readAllFiles(t, mem, filepath.Join(config.Dir, config.Name))
	// Both take the end of a stream of which no time is known yet.
	now := time.Now()
	config.Runtime = actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return now }})
	config.FS, config.ReadOnly = reads, true
	reader, readErr := actors.Open(t.Context(), quiet, config)
	var got []string
	if readErr == nil {
		got = everything(t, reader)
		checkVerify(t, reader, damaged, what)
		require.NoError(t, reader.Stop(context.Background()), what)
	}
	require.Empty(t, tried(), what)
	require.Equal(t, before, readAllFiles(t, mem, filepath.Join(config.Dir, config.Name)), what)
	config.FS, config.ReadOnly, config.RecreateMeta = writes, false, true
	config.FirstSequence = 0 // which a reader does not know, when the configuration is lost
	writer, err := actors.Open(t.Context(), quiet, config)
	if errors.Is(err, actors.ErrKey) { // what was damaged is a key
		require.ErrorIs(t, readErr, actors.ErrKey, what)
		return
	}
	require.NoError(t, err, what)
	if readErr != nil { // there is nothing that the writer has not made now
		require.ErrorIs(t, readErr, fs.ErrNotExist, what)
		require.Contains(t, everything(t, writer)[0], "Messages:0 ")
		require.NoError(t, writer.Stop(context.Background()))
		return
	}
	want := everything(t, writer)
	require.NoError(t, writer.Stop(context.Background()), what)
	require.Equal(t, want, got, what)
}

// TestReadersOfCrashImages: what a crash leaves at any operation is read as it would be recovered, in memory alone; and
// so it is with damage to it.
func TestReadersOfCrashImages(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	images := 0
	for seed := range uint64(4) {
		mem := blocktest.NewMemFS()
		fs := blocktest.NewFaultFS(mem)
		x := newRemovalsScript(t, seed, actors.SyncLevel(seed%3), fs)
		found, stop := x.images(fs, mem, 1)
		x.run(60, 4)
		require.NoError(t, x.store.Stop(context.Background()))
		stop()
		for i, image := range *found {
			if i%7 != 0 {
				continue
			}
			config := x.config
			checkReader(t, image.mem, config, false, image.what)
			damage(t, image.mem, random, filepath.Join(config.Dir, config.Name))
			checkReader(t, image.mem, config, true, image.what+", damaged")
			images++
		}
	}
	require.Greater(t, images, 50)
}

// damage flips a bit of some file of a stream, cuts the file, or removes it.
func damage(t *testing.T, mem *blocktest.MemFS, random *rand.Rand, dir string) {
	t.Helper()
	files := readAllFiles(t, mem, dir)
	var names []string
	for name, data := range files {
		if len(data) > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	name := names[random.Intn(len(names))]
	file, err := mem.OpenFile(filepath.Join(dir, name), blockio.ModeReadWrite)
	require.NoError(t, err)
	at := random.Intn(len(files[name]))
	switch random.Intn(3) {
	case 0:
		_, err = file.WriteAt([]byte{files[name][at] ^ 1<<random.Intn(8)}, int64(at))
	case 1:
		err = file.Truncate(int64(at))
	case 2:
		err = mem.Remove(filepath.Join(dir, name))
	}
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
