//go:build !linux

package blockio

// populate does nothing: no other system reads pages in without a fault.
func populate([]byte) error { return nil }

// adviseRandom does nothing: the system's reading ahead is all that there is.
func adviseRandom([]byte) {}

// inMemory is false: without populating there is nothing to note.
func inMemory([]byte) bool { return false }
