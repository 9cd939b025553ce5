package blockio

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// Space implements SpaceFS.
func (osFS) Space(dir string) (s Space, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(name, &s.Free, &s.Total, nil)
	}
	if err != nil {
		return Space{}, &fs.PathError{Op: "free space", Path: dir, Err: err}
	}
	return s, nil
}
