package actors_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestStreamStaysLockedWithoutItsLockFile: somebody who removes the file while a store writes lets nobody else in, and
// who is refused changes nothing.
func TestStreamStaysLockedWithoutItsLockFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be removed there
	}
	config := actors.Config{Dir: t.TempDir(), Name: "S"}
	s := open(t, config)
	mustStore(t, s, "a", "x")
	name := filepath.Join(config.Dir, config.Name, "millrace.lock")
	_, err := actors.Open(t.Context(), quiet, config)
	require.ErrorIs(t, err, actors.ErrLocked)
	require.ErrorContains(t, err, "this process")
	require.NoError(t, os.Remove(name))
	_, err = actors.Open(t.Context(), quiet, config)
	require.ErrorIs(t, err, actors.ErrLocked)
	require.NoFileExists(t, name)
	require.Equal(t, uint64(2), mustStore(t, s, "a", "x").Sequence)
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, uint64(2), stateOf(t, open(t, config)).Messages)
}
