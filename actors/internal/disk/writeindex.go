package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

// WriteIndex reads a sealed block and writes its index file. It returns false when the block has gone
// meanwhile, or is one that no index can describe; a block of the second kind has no index file then.
func (f *Files) WriteIndex(id uint32) (written bool, err error) {
	path := f.Blocks.Path(id)
	file, err := f.FS.OpenFile(path, blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close() // it was opened for reading, so an error of closing it loses nothing
	stat, err := file.Stat()
	if err != nil {
		return false, err
	}
	data := make([]byte, stat.Size)
	if n, err := file.ReadAt(data, 0); n < len(data) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return false, fmt.Errorf("actors: read %s: %d of %d bytes: %w", path, n, len(data), err)
	}
	image, _, err := blockindex.Build(path, id, f.Blocks.Codec(id), data, stat)
	if err == nil {
		err = blockindex.Write(f.FS, blockindex.Path(path), image)
	}
	if errors.Is(err, blockindex.ErrUnsealed) || errors.Is(err, blockindex.ErrLimit) {
		if err = f.FS.Remove(blockindex.Path(path)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	return err == nil, err
}
