package blockio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// compressedPrefix is what the file of a compressed block begins with, where others
// have the length of their first record.
const compressedPrefix = "cmp"

// LooksCompressed reports whether a block whose first record has that length field
// would be taken for a compressed block: its first bytes on disk are then the prefix
// of one. A writer puts some other record first.
func LooksCompressed(length uint32) bool {
	const p = compressedPrefix
	return length&0xffffff == uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16
}

// checkPlain returns ErrCompressed, with the path, when the file of a block does not
// begin with a record but with the prefix of a compressed block. Where those bytes cannot
// be read, the block is taken for what it is nearly always.
func checkPlain(file File, path string, size int64) error {
	if size <= int64(len(compressedPrefix)) {
		return nil
	}
	head := make([]byte, len(compressedPrefix))
	if _, err := readAround(file, path, head, 0); err != nil && !errors.Is(err, io.EOF) && Unreadable(err) == nil {
		return err
	}
	return plain(head, path)
}

// plain returns ErrCompressed, with the path, when the bytes of a block begin with the
// prefix of a compressed one.
func plain(data []byte, path string) error {
	if bytes.HasPrefix(data, []byte(compressedPrefix)) {
		return fmt.Errorf("%w: %s", ErrCompressed, path)
	}
	return nil
}
