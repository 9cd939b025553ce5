//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package blockio

import (
	"errors"
	"io"
)

// Lock fails: two processes on one directory would destroy it, and on this
// system nothing is known that keeps the second one out.
func (osFS) Lock(name, _ string) (io.Closer, error) {
	return nil, lockError(name, errors.ErrUnsupported)
}
