//go:build linux || darwin

package blockio

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Space implements SpaceFS.
func (osFS) Space(dir string) (Space, error) {
	var stat unix.Statfs_t
	for {
		err := unix.Statfs(dir, &stat)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Space{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
		}
		unit := uint64(stat.Bsize)
		return Space{Free: stat.Bavail * unit, Total: stat.Blocks * unit}, nil
	}
}
