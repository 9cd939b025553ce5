package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// A stream is deleted in two steps. First its directory gets a hidden name beside the old one, at once and durably: from
// then on there is no stream. Then what is in it is removed, which a crash may cut short. Whoever opens or deletes a
// stream of the same name later removes what is left, and a nats-server removes all directories that begin with a dot.

// hiddenPrefix begins the name of a directory that is being removed. No stream has such a name.
const hiddenPrefix = ".delete-"

// hidden returns the hidden name of the directory of a stream.
func hidden(dir string) string {
	return filepath.Join(filepath.Dir(dir), hiddenPrefix+filepath.Base(dir))
}

// HideStream gives the directory of a stream its hidden name, which nothing may have. When the error wraps ErrSync, the
// stream is gone, and may be back after a loss of power.
func HideStream(fsys FS, dir string) error {
	if err := fsys.Rename(dir, hidden(dir)); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	if err := SyncDir(fsys, filepath.Dir(dir)); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	return nil
}

// RemoveHidden removes what HideStream has left of the stream that had a directory. It reports whether there was
// anything. more is asked before each file; its error ends the work.
func RemoveHidden(fsys FS, dir string, more func() error) (found bool, err error) {
	dir = hidden(dir)
	if _, err = fsys.ReadDir(dir); err == nil {
		// Nothing of it goes before the name is known to have changed.
		err = SyncDir(fsys, filepath.Dir(dir))
	}
	if err == nil {
		found, err = true, removeTree(fsys, dir, more)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found, nil // somebody else has removed it
	case err != nil:
		return found, fmt.Errorf("remove %s: %w", dir, err)
	}
	return found, nil
}

// removeTree removes a directory with all that is in it.
func removeTree(fsys FS, dir string, more func() error) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := more(); err != nil {
			return err
		}
		name := filepath.Join(dir, e.Name)
		if e.IsDir {
			err = removeTree(fsys, name, more)
		} else {
			err = fsys.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // else somebody removes the same
			return err
		}
	}
	return fsys.Remove(dir)
}

// NotEmpty reports whether an error tells of a directory that cannot be removed since there is something in it:
// somebody makes files in it meanwhile.
func NotEmpty(err error) bool {
	const windowsNotEmpty = syscall.Errno(145)
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) ||
		runtime.GOOS == "windows" && errors.Is(err, windowsNotEmpty)
}

// ErrNoStream: the directory is not that of a stream.
var ErrNoStream = errors.New("this is not the directory of a stream")

// ofStreams are the names in the directory of a stream, of ours and of nats-server.
var ofStreams = []string{
	metaFile, metaSumFile, metaKeyFile, LockFile, blocksDir, "obs", "batches", "lost+found", "sources.db",
	"__msgs__", "__new_msgs__", "idx", "fss",
}

// CheckStream returns ErrNoStream unless a directory is that of a stream: meta.inf says so, or all that is in it has
// the names of one, and there are blocks or the lock of ours. The error is fs.ErrNotExist when there is none.
func CheckStream(fsys FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if _, err := ReadMeta(fsys, dir, filepath.Base(dir)); err == nil {
		return nil
	}
	has := make(map[string]bool)
	for _, e := range entries {
		has[e.Name] = true
		if !slices.Contains(ofStreams, strings.TrimSuffix(e.Name, ".tmp")) && !strings.HasPrefix(e.Name, "_test_") {
			return fmt.Errorf("%w: %s has %s", ErrNoStream, dir, e.Name)
		}
	}
	if has[LockFile] || has[metaKeyFile] && has[metaFile] {
		return nil
	}
	entries, err = fsys.ReadDir(BlocksDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	for _, e := range entries {
		if _, block := blockID(e.Name); block && !e.IsDir {
			return nil
		}
	}
	return fmt.Errorf("%w: %s has neither a configuration nor blocks", ErrNoStream, dir)
}
