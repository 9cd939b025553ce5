package actors_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestAPurgeByNatsServerThatWasCutShortIsFinished, wherever it was cut.
func TestAPurgeByNatsServerThatWasCutShortIsFinished(t *testing.T) {
	for name, row := range map[string]struct {
		move   func(t *testing.T, stream, block string)
		purged bool
	}{
		"the new directory": {func(t *testing.T, stream, _ string) {
			require.NoError(t, os.Mkdir(filepath.Join(stream, "__new_msgs__"), 0o700))
		}, false},
		"the block is in it": {func(t *testing.T, stream, block string) {
			writeBlockFile(t, filepath.Join(stream, "__new_msgs__", "2.blk"), block)
		}, true},
		"the blocks are moved away": {func(t *testing.T, stream, block string) {
			writeBlockFile(t, filepath.Join(stream, "__new_msgs__", "2.blk"), block)
			require.NoError(t, os.Rename(filepath.Join(stream, "msgs"), filepath.Join(stream, "__msgs__")))
		}, true},
		"the new ones are there": {func(t *testing.T, stream, block string) {
			require.NoError(t, os.Rename(filepath.Join(stream, "msgs"), filepath.Join(stream, "__msgs__")))
			writeBlockFile(t, filepath.Join(stream, "msgs", "2.blk"), block)
		}, true},
		"nothing but the old ones": {func(t *testing.T, stream, _ string) {
			require.NoError(t, os.Rename(filepath.Join(stream, "msgs"), filepath.Join(stream, "__msgs__")))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, g := loadGolden(t, "basic")
			stream := filepath.Join(dir, g.Stream)
			last := g.State.LastSequence
			tombstone := blockio.NewRecordCodec(g.Stream, 2).AppendTombstone(nil, last, goldenTime(t, g.State.LastTime).UnixNano())
			row.move(t, stream, string(tombstone))
			s := open(t, actors.Config{Dir: dir, Name: g.Stream})
			if row.purged {
				state := stateOf(t, s)
				require.Zero(t, state.Messages)
				require.Equal(t, last, state.LastSequence)
				require.Equal(t, last+1, state.FirstSequence)
			} else {
				checkGolden(t, s, &g)
			}
			require.Equal(t, last+1, mustStore(t, s, "a", "b").Sequence)
			require.NoDirExists(t, filepath.Join(stream, "__msgs__"))
			require.NoDirExists(t, filepath.Join(stream, "__new_msgs__"))
		})
	}
}

func writeBlockFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// TestAPurgeThatHasMovedTheKeyAlone is undone: the block that it has made, with nothing but a tombstone, goes. It cannot be read.
func TestAPurgeThatHasMovedTheKeyAlone(t *testing.T) {
	dir, g := loadGolden(t, "encrypted")
	stream := filepath.Join(dir, g.Stream)
	writeBlockFile(t, filepath.Join(stream, "__new_msgs__", "4.key"), "a key file")
	writeBlockFile(t, filepath.Join(stream, "msgs", "4.blk"), "a tombstone, encrypted with it")
	s := open(t, actors.Config{Dir: dir, Name: g.Stream, Key: actors.ServerKey(g.Encryption.Account, g.Encryption.MainKey)})
	checkGolden(t, s, &g)
	require.NoFileExists(t, filepath.Join(stream, "msgs", "4.blk"))
	require.NoDirExists(t, filepath.Join(stream, "__new_msgs__"))
}
