//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package blockio

import (
	"errors"
	"io"
)

// openNonblock is none: nothing is known that would wait.
const openNonblock = 0

// Lock fails: two processes on one directory would destroy it, and on this
// system nothing is known that keeps the second one out.
func (osFS) Lock(name, _ string) (io.Closer, error) {
	return nil, lockError(name, errors.ErrUnsupported)
}
