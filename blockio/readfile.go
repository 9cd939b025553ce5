package blockio

import (
	"errors"
	"fmt"
	"io"
)

// readOpen reads all of an open file, which grows or shrinks meanwhile or not: what it
// had at first, as far as that is still there.
func readOpen(file File, name string, limit int64, buf []byte) ([]byte, error) {
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return readSized(file, name, stat.Size, limit, buf)
}

// readBlock reads the first size bytes of the open file of a block, or all with a size below 0, as readSized does.
func readBlock(file File, key *RecordCodec, name string, size int64, buf []byte) ([]byte, error) {
	stored := storedFile(file)
	if size < 0 {
		stat, err := stored.Stat()
		if err != nil {
			return nil, err
		}
		size = stat.Size
	}
	data, err := readSized(stored, name, size, MaxBlockFile, buf)
	if sealed, ok := file.(SealedFile); ok {
		unsealAll(sealed, key, data)
	}
	return data, err
}

// readSized reads the first size bytes of an open file, or as many as there are, into
// buf, which is replaced when it is too small. A size above the limit is ErrTooLarge.
// When some of it cannot be read, the error is an *UnreadableError, and the rest comes
// with it.
func readSized(file File, name string, size, limit int64, buf []byte) ([]byte, error) {
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
	n, err := readAround(file, name, buf, 0)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return buf[:n], nil
	case Unreadable(err) != nil:
		return buf[:n], err
	}
	return nil, err
}
