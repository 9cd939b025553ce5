package blockio

import (
	"errors"
	"fmt"
)

// ErrNoDescriptors: the process, or the system, has as many files open as it may. Nothing is wrong with the files.
var ErrNoDescriptors = errors.New("too many files are open: raise the limit of the process (ulimit -n, LimitNOFILE), or open fewer streams")

// nameDescriptors is NameCause for want of descriptors.
func nameDescriptors(err error) error {
	if err == nil || errors.Is(err, ErrNoDescriptors) {
		return err
	}
	for _, none := range noDescriptors {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %w", ErrNoDescriptors, err)
		}
	}
	return err
}
