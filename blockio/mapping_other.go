//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package blockio

// unmap is never called: no file of this system is a Mapper.
func unmap([]byte) error { return nil }
