package blockio

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncState holds what Sync needs. The raw connection keeps the descriptor from
// being closed, and its number from being used again, under the call.
type syncState struct {
	raw syscall.RawConn
}

func (f *osFile) prepareSync() (err error) {
	f.sync.raw, err = f.SyscallConn()
	return err
}

// Sync is fdatasync: it leaves out the times of the file, which saves a journal
// commit when the size did not change.
func (f *osFile) Sync() error {
	var syncErr error
	err := f.sync.raw.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); syncErr != unix.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = syncErr
	}
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}
