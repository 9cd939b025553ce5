//go:build !linux

package blocktest

import "errors"

// makeFault cannot be done.
func makeFault([]byte) error { return errors.ErrUnsupported }
