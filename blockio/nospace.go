package blockio

import (
	"errors"
	"fmt"
)

// ErrNoSpace: the disk is full, or what its owner may use of it is used up.
var ErrNoSpace = errors.New("the disk is full")

// NameCause returns an error that is also ErrNoSpace, or ErrNoDescriptors, if it comes from the system for that reason. It keeps what the
// error wraps. Every file system below a store reports it in its own way; a caller wants to ask once.
func NameCause(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) {
		return err
	}
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return nameDescriptors(err)
}
