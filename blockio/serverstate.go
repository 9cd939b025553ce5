package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// maxStateFile bounds a file of nats-server's state that is read, in bytes. It grows with the subjects and the
// deleted sequences of the stream.
const maxStateFile = 256 << 20

// ReadStateFile returns what is in the StateFile, nil when there is none. Package streamstate decodes it. The error is
// of the file system, or ErrTooLarge.
func (b *Blocks) ReadStateFile() ([]byte, error) {
	name := filepath.Join(b.Dir(), StateFile)
	data, err := readFile(b.fs, name, maxStateFile, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
