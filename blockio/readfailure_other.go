//go:build !windows

package blockio

// readFailures are errors of a disk that could not read, beside EIO.
var readFailures []error
