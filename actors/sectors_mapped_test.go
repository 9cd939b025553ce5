package actors_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// mappedWorld is a sectorWorld on the machine's disk, whose files are mapped.
func mappedWorld(t *testing.T, config actors.Config) *sectorWorld {
	t.Helper()
	w := newSectorWorld(t, config, 150, false)
	dir := t.TempDir()
	var copyAll func(name string)
	copyAll = func(name string) {
		entries, err := w.mem.ReadDir(name)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
		for _, entry := range entries {
			path := filepath.Join(name, entry.Name)
			if entry.IsDir {
				copyAll(path)
				continue
			}
			file, err := w.mem.OpenFile(path, blockio.ModeRead)
			require.NoError(t, err)
			data := make([]byte, entry.Size)
			if len(data) > 0 {
				_, err = file.ReadAt(data, 0)
				require.NoError(t, err)
			}
			require.NoError(t, file.Close())
			require.NoError(t, os.WriteFile(filepath.Join(dir, path), data, 0o600))
		}
	}
	copyAll("data")
	w.fs = blocktest.NewFaultFS(blockio.OS)
	w.fs.AllowMapping()
	w.config.Dir, w.config.FS, w.config.Runtime = filepath.Join(dir, "data"), w.fs, actors.NewRuntime(actors.RuntimeConfig{})
	return w
}

// TestPageOfAMappingThatCannotBeRead: memory that faults is read from the file, which shows what is unreadable.
func TestPageOfAMappingThatCannotBeRead(t *testing.T) {
	for _, size := range []int64{512, 4096} {
		w := mappedWorld(t, indexed)
		s := open(t, w.config)
		covered := w.spoil(2, 4096, size)
		for sequence := uint64(1); sequence <= w.last; sequence++ {
			m, err := s.LoadMsg(t.Context(), sequence)
			if covered[sequence] {
				require.ErrorIs(t, err, blockio.ErrSector)
				var damage *blockio.CorruptionError
				require.ErrorAs(t, err, &damage)
				require.Equal(t, sequence, damage.Sequence)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, sectorPayload(sequence), string(m.Payload))
		}
		damage, messages := stretches(t, s)
		require.Len(t, damage, 1)
		require.Equal(t, 150-len(covered), messages)
		filtered, _ := stretches(t, s, actors.Filter("s.1"), actors.Reverse())
		require.Len(t, filtered, 1)
		require.NoError(t, s.Stop(context.Background()))
		w.fs.Heal()
		require.Empty(t, w.requireRest(t, open(t, w.config), "healed"))
	}
}

// TestPageOfAMappedIndexThatCannotBeRead costs nothing: the index is given up.
func TestPageOfAMappedIndexThatCannotBeRead(t *testing.T) {
	w := mappedWorld(t, indexed)
	s := open(t, w.config)
	w.fs.Spoil(filepath.Join(w.config.Dir, "ORDERS/msgs/2.bix"), 4096, 8192)
	require.Empty(t, w.requireRest(t, s, "a page of the index"))
	for _, err := range s.Messages(t.Context()) {
		require.False(t, errors.Is(err, actors.ErrCorrupt))
	}
	require.Zero(t, stateOf(t, s).LostMessages)
}
