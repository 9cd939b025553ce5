package blockio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// adviseRandom turns off the system's reading ahead, which takes megabytes from the
// disk for the first message of a block. What is wanted is populated.
func adviseRandom(data []byte) {
	_ = unix.Madvise(data, unix.MADV_RANDOM) // only advice
}

// populate reads the pages in, all at once: without the first advice each would be
// waited for. A kernel before 5.14 does not know the second.
func populate(data []byte) error {
	_ = unix.Madvise(data, unix.MADV_WILLNEED)
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
