package blockio

import (
	"errors"
	"os"
	"syscall"
)

// syncDir opens a directory by itself: an os.File takes half a dozen calls more, to find out that nothing waits for it.
func syncDir(name string) error {
	var fd int
	err := uninterrupted(func() (err error) {
		fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	if err = uninterrupted(func() error { return syscall.Fsync(fd) }); err != nil {
		err = &os.PathError{Op: "sync", Path: name, Err: err}
	}
	if closed := syscall.Close(fd); closed != nil {
		err = errors.Join(err, &os.PathError{Op: "close", Path: name, Err: closed})
	}
	return err
}

// uninterrupted makes a call again that a signal has interrupted.
func uninterrupted(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
