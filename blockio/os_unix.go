//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openNonblock makes opening a pipe return at once. It means nothing for a file.
const openNonblock = unix.O_NONBLOCK

// Lock uses flock: it is bound to the open file, so that a second Lock in the
// same process fails too, and goes away with the process. What it locks is the folder of the lock file, since
// another file could take the place of that; and the file itself where a file system has no locks for folders, as
// NFS has none. Who cannot have the lock changes nothing.
func (f osFS) Lock(name, holder string) (io.Closer, error) {
	lock, err := f.LockQuietly(name, holder)
	if err != nil {
		return nil, err
	}
	lock.Note()
	return lock, nil
}

// LockQuietly implements QuietLocker. Where a file system has no locks for folders it makes the file.
func (osFS) LockQuietly(name, holder string) (QuietLock, error) {
	for {
		locked, err := lockAs(name, holder)
		if err != nil {
			return nil, err
		}
		if hasName(locked, filepath.Dir(name)) || hasName(locked, name) {
			return &osLock{locked: locked, name: name, holder: holder}, nil
		}
		// The folder was deleted in between, and perhaps another one made.
		_ = locked.Close()
	}
}

// hasName reports whether what is open still has a name.
func hasName(open *os.File, name string) bool {
	own, err := open.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(own, named)
}

// lockAs takes the lock of what has the name now.
func lockAs(name, holder string) (*os.File, error) {
	locked, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, lockError(name, err)
	}
	err = flock(locked)
	if noFolderLocks(err) {
		err = locked.Close()
		if err == nil {
			locked, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
		}
		if err != nil {
			return nil, lockError(name, err)
		}
		err = flock(locked)
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(&LockedError{Path: name, Holder: readHolder(name, holder)}, locked.Close())
	case err != nil:
		return nil, errors.Join(lockError(name, err), locked.Close())
	}
	return locked, nil
}

func flock(file *os.File) error {
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// noFolderLocks reports whether an error says that a folder cannot be locked here.
func noFolderLocks(err error) bool {
	for _, number := range []error{unix.EBADF, unix.EINVAL, unix.EISDIR, unix.ENOSYS, unix.ENOTSUP, unix.ENOLCK} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

// An osLock is a held lock. The file is left behind, empty.
type osLock struct {
	locked *os.File
	name   string
	holder string
	noted  bool
}

// Note implements QuietLock.
func (l *osLock) Note() {
	l.noted = true
	noteHolder(l.name, l.holder)
}

// Close releases the lock. What the file says is a courtesy. It is looked for in the folder that is locked, which may have
// another name by now.
func (l *osLock) Close() error {
	if !l.noted {
		return l.locked.Close()
	}
	folder := int(l.locked.Fd())
	fd, err := unix.Openat(folder, filepath.Base(l.name), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Ftruncate(fd, 0)
		_ = unix.Close(fd)
	} else {
		_ = l.locked.Truncate(0) // no folder: the file itself is locked
	}
	return l.locked.Close()
}
