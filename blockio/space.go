package blockio

import (
	"errors"
	"fmt"
)

// Space is how much room the file system of a folder has, in bytes.
type Space struct {
	Free  uint64 // what this process may still use: what is kept for others, as for root, does not count
	Total uint64
}

// A SpaceFS is an FS that knows how much room there is.
type SpaceFS interface {
	FS
	// Space returns the room of the file system that a folder is on.
	Space(dir string) (Space, error)
}

// SpaceOf returns the room of the file system that a folder is on. Where nobody can tell, the error is
// errors.ErrUnsupported.
func SpaceOf(fsys FS, dir string) (Space, error) {
	if s, ok := fsys.(SpaceFS); ok {
		return s.Space(dir)
	}
	return Space{}, fmt.Errorf("free space of %s: %w", dir, errors.ErrUnsupported)
}

// Space implements SpaceFS with the file system below.
func (o *Overlay) Space(dir string) (Space, error) { return SpaceOf(o.base, dir) }
