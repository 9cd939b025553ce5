package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// canDropPages says whether dropPages works on this system.
const canDropPages = true

// dropPages has the system forget what its page cache holds of the files below dir, so that reading
// them goes to the disk.
func dropPages(dir string) error {
	syscall.Sync() // pages that are not written stay
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED), file.Close())
	})
}
