package blockio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// populate reads the pages in. A kernel before 5.14 does not know the advice.
func populate(data []byte) error {
	for {
		err := unix.Madvise(data, unix.MADV_POPULATE_READ)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EINVAL):
			return nil
		default:
			return err
		}
	}
}
