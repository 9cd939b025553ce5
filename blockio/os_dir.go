//go:build !windows && !linux

package blockio

import (
	"errors"
	"os"
)

// syncDir syncs a directory by way of an os.File, which knows what that takes: on macOS fsync alone leaves it in the disk's cache.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
