package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// ReplaceFile gives the file name the content data, all or nothing: after a
// crash at any moment it has its old content or the new. On return the new one
// is durable. It goes through name.tmp, which is removed on failure; one left
// by a crash is overwritten by the next try and otherwise harmless.
//
// Two calls for one name must not overlap.
func ReplaceFile(fsys FS, name string, data []byte) error {
	tmp := name + UnfinishedSuffix
	err := writeFile(fsys, tmp, data)
	if err == nil {
		if err = fsys.Rename(tmp, name); err == nil {
			if err = fsys.SyncDir(filepath.Dir(name)); err == nil {
				return nil
			}
			return fmt.Errorf("replace %s: %w", name, err)
		}
	}
	if rmErr := fsys.Remove(tmp); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return fmt.Errorf("replace %s: %w", name, err)
}

// writeFile makes a file with the given content and syncs it.
func writeFile(fsys FS, name string, data []byte) error {
	file, err := fsys.OpenFile(name, ModeReplace)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = file.WriteAt(data, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// readFile reads a whole file of at most limit bytes into buf, which it extends
// when it is too short.
func readFile(fsys FS, name string, limit int64, buf []byte) ([]byte, error) {
	file, err := fsys.OpenFile(name, ModeRead)
	if err != nil {
		return nil, err
	}
	data, err := readOpen(file, name, limit, buf)
	return data, errors.Join(err, file.Close())
}
