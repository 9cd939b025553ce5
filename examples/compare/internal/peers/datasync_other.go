//go:build !linux

package peers

import "os"

func datasync(file *os.File) error {
	return file.Sync()
}
