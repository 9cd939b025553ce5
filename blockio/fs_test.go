package blockio

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLockAgainstAnotherProcess runs itself as the other process: it must be
// told who holds the lock, and get it once the holder is gone.
func TestLockAgainstAnotherProcess(t *testing.T) {
	const variable = "BLOCKIO_TEST_LOCK"
	if name := os.Getenv(variable); name != "" {
		holdLock(name)
		return
	}
	name := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0], "-test.run=TestLockAgainstAnotherProcess$")
	child.Env = append(os.Environ(), variable+"="+name)
	stdin, err := child.StdinPipe()
	require.NoError(t, err)
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", line)

	_, err = OS.Lock(name, "parent")
	require.ErrorIs(t, err, ErrLocked)
	require.EqualError(t, err, "blockio: locked: "+name+": held by the child")
	require.NoError(t, child.Process.Kill())
	_ = stdin.Close()
	_ = child.Wait() // killed: it says so
	lock, err := OS.Lock(name, "parent")
	require.NoError(t, err, "the lock dies with the process")
	require.NoError(t, lock.Close())
}

// holdLock is the other process: it holds the lock until it is killed.
func holdLock(name string) {
	if _, err := OS.Lock(name, "the child"); err != nil {
		_, _ = os.Stdout.WriteString(err.Error() + "\n")
		return
	}
	_, _ = os.Stdout.WriteString("locked\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no such modes there
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, OS.MkdirAll(dir))
	require.NoError(t, ReplaceFile(OS, filepath.Join(dir, "c"), []byte("x")))
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, filepath.Join(dir, "c"): 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}

func TestReadAllRefusesHugeFiles(t *testing.T) {
	blocks := NewBlocks(OS, t.TempDir(), "S", BlocksOptions{})
	require.NoError(t, OS.MkdirAll(blocks.Dir()))
	require.NoError(t, blocks.Create(1))
	require.NoError(t, blocks.Close())
	require.NoError(t, os.Truncate(blocks.Path(1), MaxBlockFile+1)) // sparse
	_, err := blocks.ReadAll(1, nil)
	require.ErrorIs(t, err, ErrTooLarge)
}
