package blockio

import (
	"errors"
	"fmt"
	"io"
)

// readOpen reads all of an open file. A file that shrinks meanwhile gives what
// there was; one that grows gives what it had at first.
func readOpen(file File, name string, limit int64, buf []byte) ([]byte, error) {
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	size := stat.Size
	if size > limit {
		return nil, fmt.Errorf("%w: %s: %d bytes, limit %d", ErrTooLarge, name, size, limit)
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if size == 0 {
		return buf, nil
	}
	n, err := file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}
