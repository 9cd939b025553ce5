package blockio

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
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
	require.EqualError(t, err, filepath.Dir(name)+" is in use, held by the child")
	require.NoError(t, child.Process.Kill())
	_ = stdin.Close()
	_ = child.Wait() // killed: it says so
	lock, err := OS.Lock(name, "parent")
	require.NoError(t, err, "the lock dies with the process")
	require.NoError(t, lock.Close())
}

// TestLockIsNotItsFile: another file of the name makes no second lock. Who is refused changes nothing, and is told when
// it is this process that holds the lock.
func TestLockIsNotItsFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // an open file cannot be removed there
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "lock")
	lock, err := OS.Lock(name, "process 1 on a host since today")
	require.NoError(t, err)
	_, err = OS.Lock(name, "process 1 on a host since now")
	require.EqualError(t, err, filepath.Dir(name)+" is in use, held by this process, process 1 on a host since today")
	_, err = OS.Lock(name, "process 2 on a host since now")
	require.EqualError(t, err, filepath.Dir(name)+" is in use, held by process 1 on a host since today")
	require.NoError(t, os.Remove(name))
	_, err = OS.Lock(name, "process 2 on a host since now")
	require.EqualError(t, err, filepath.Dir(name)+" is in use by another process")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoError(t, lock.Close())
	lock, err = OS.Lock(name, "another")
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

// TestLockNeedsNoRoomForItsText: who holds it is a courtesy.
func TestLockNeedsNoRoomForItsText(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // the file itself is locked there
	}
	name := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.Mkdir(name, 0o700)) // nothing can be written there
	lock, err := OS.Lock(name, "me")
	require.NoError(t, err)
	_, err = OS.Lock(name, "you")
	require.ErrorIs(t, err, ErrLocked)
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

// TestMkdirAllSyncsWhatIsThere: a directory that exists may have been made by somebody who
// was killed before its entry was durable. What is above it and cannot be synced by us is
// left alone.
func TestMkdirAllSyncsWhatIsThere(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "c")
	run := func(failing string, failure error) (synced []string, err error) {
		sync := func(name string) error {
			synced = append(synced, name)
			if name == failing {
				return failure
			}
			return syncDir(name)
		}
		err = mkdirAll(dir, sync, sync)
		return synced, err
	}
	above := []string{filepath.Dir(dir), filepath.Join(root, "a"), root}
	require.NoError(t, os.Mkdir(filepath.Join(root, "a"), 0o700))
	synced, err := run("", nil)
	require.NoError(t, err)
	require.Subset(t, synced, above, "one of them was there")
	for _, failure := range []error{nil, fs.ErrPermission, errors.ErrUnsupported, syscall.EINVAL} {
		synced, err = run(root, failure)
		require.NoError(t, err)
		require.Equal(t, above, synced[:3])
		require.Equal(t, filepath.VolumeName(root)+string(filepath.Separator), synced[len(synced)-1])
	}
	_, err = run(root, syscall.EIO)
	require.ErrorIs(t, err, syscall.EIO)
}

// TestMkdirAllSyncsWhatHoldsTheDirectory: whatever is known of that; of those above it a sync that covers them is enough.
func TestMkdirAllSyncsWhatHoldsTheDirectory(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "c")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	var synced, settled []string
	noting := func(list *[]string) func(string) error {
		return func(name string) error {
			*list = append(*list, name)
			return nil
		}
	}
	require.NoError(t, mkdirAll(dir, noting(&synced), noting(&settled)))
	require.Equal(t, []string{filepath.Dir(dir)}, synced)
	require.Equal(t, []string{filepath.Join(root, "a"), root}, settled[:2])
	synced, settled = nil, nil
	require.NoError(t, mkdirAll(filepath.Join(dir, "d", "e"), noting(&synced), noting(&settled)))
	require.Equal(t, []string{filepath.Dir(dir), dir, filepath.Join(dir, "d")}, synced, "what holds a new one, and the last that was there")
	require.Equal(t, []string{filepath.Join(root, "a"), root}, settled[:2])
}

func BenchmarkMkdirAllOfWhatIsThere(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "a", "b", "c")
	for b.Loop() {
		if err := OS.MkdirAll(dir); err != nil {
			b.Fatal(err)
		}
	}
}
