//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openNonblock makes opening a pipe return at once. It means nothing for a file.
const openNonblock = unix.O_NONBLOCK

// Lock uses flock: it is bound to the open file, so that a second Lock in the
// same process fails too, and goes away with the process.
func (osFS) Lock(name, holder string) (io.Closer, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &LockedError{Path: name, Holder: readHolder(file)}
		return nil, errors.Join(err, file.Close())
	}
	if err == nil {
		err = writeHolder(file, holder)
	}
	if err != nil {
		return nil, errors.Join(lockError(name, err), file.Close())
	}
	return &osLock{file: file}, nil
}

// An osLock is a held lock. The file is left behind, empty: removing it would
// let two processes lock two files of one name.
type osLock struct{ file *os.File }

// Close releases the lock.
func (l *osLock) Close() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
