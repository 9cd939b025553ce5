package blockio

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: Windows has no way to flush a directory; NTFS journals
// the changes of names itself.
func syncDir(name string) error {
	_, err := os.Stat(name)
	return err
}

// openNonblock is none: opening a file does not wait.
const openNonblock = 0

// lockAt is where the locked byte is. A locked range cannot be read by others
// on Windows, so it lies far behind the text that says who holds the lock.
const lockAt = 1 << 30

// Lock uses LockFileEx on one byte, for this process alone and without waiting.
func (f osFS) Lock(name, holder string) (io.Closer, error) {
	lock, err := f.LockQuietly(name, holder)
	if err != nil {
		return nil, err
	}
	lock.Note()
	return lock, nil
}

// LockQuietly implements QuietLocker. It makes the file, if there is none.
func (osFS) LockQuietly(name, holder string) (QuietLock, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	at := windows.Overlapped{Offset: lockAt}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		err = &LockedError{Path: name, Holder: readHolder(name, holder)}
		return nil, errors.Join(err, file.Close())
	}
	if err != nil {
		return nil, errors.Join(lockError(name, err), file.Close())
	}
	return &osLock{file: file, name: name, holder: holder}, nil
}

// An osLock is a held lock. The file is left behind, empty. Nobody can remove it while it is open.
type osLock struct {
	file         *os.File
	name, holder string
	noted        bool
}

// Note implements QuietLock.
func (l *osLock) Note() {
	l.noted = true
	noteHolder(l.name, l.holder)
}

// Close releases the lock.
func (l *osLock) Close() error {
	if !l.noted {
		return l.file.Close()
	}
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
