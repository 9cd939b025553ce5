//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// MapBytes maps the file. The raw connection keeps the descriptor from being
// closed, and its number from being used again, under the call.
func (f *osFile) MapBytes(size int64) (data []byte, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var mapErr error
	err = raw.Control(func(fd uintptr) {
		data, mapErr = unix.Mmap(int(fd), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	})
	if err != nil || mapErr != nil {
		return nil, errors.Join(err, mapErr)
	}
	adviseRandom(data)
	return data, nil
}

func unmap(data []byte) error { return unix.Munmap(data) }
