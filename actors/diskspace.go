package actors

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// DiskSpace is how much room a file system has, in bytes: Free is what this process may still use of it.
type DiskSpace = blockio.Space

// DiskSpace returns how much room the file system of the stream has. It works on a failed and on a stopped store, too.
// Where nobody can tell, as on a file system that Config.FS made up, it is errors.ErrUnsupported. DiskUsage is what the
// stream itself takes.
func (s *Store) DiskSpace() (DiskSpace, error) {
	space, err := blockio.SpaceOf(s.below, s.config.Dir)
	if err != nil {
		return DiskSpace{}, fmt.Errorf("room for %s: %w", s.config.Name, err)
	}
	return space, nil
}
