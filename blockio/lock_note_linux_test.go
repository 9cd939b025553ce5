package blockio

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestALockDoesNotNameWhoIsDead where there is no room for the note.
func TestALockDoesNotNameWhoIsDead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(name, []byte("host9, process 4711 since long ago, and dead"), 0o600))
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 0, Max: old.Max}))
	lock, err := OS.Lock(name, "host9, process 4712 since this minute, and alive")
	_, second := OS.Lock(name, "another")
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	require.NoError(t, err)
	defer lock.Close()
	require.NotContains(t, second.Error(), "4711")
}
