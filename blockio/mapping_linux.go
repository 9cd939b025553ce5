package blockio

import (
	"errors"
	"os"
	"slices"
	"unsafe"

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

// inMemory reports whether the system has all pages of data, which is not longer than mappedAround, in memory. It says so, too,
// of a file that is another user's and that we may not write to: then a read may wait for the disk.
func inMemory(data []byte) bool {
	var pages [mappedAround / minPage]byte
	n := (len(data)-1)/os.Getpagesize() + 1
	_, _, failed := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), uintptr(unsafe.Pointer(&pages[0])))
	return failed == 0 && !slices.ContainsFunc(pages[:n], func(page byte) bool { return page&1 == 0 })
}

// minPage is the least that a page can have, in bytes.
const minPage = 4 << 10
