package disk

import (
	"errors"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

// WriteIndex reads a sealed block and writes its index file. It returns false when the block has gone
// meanwhile, or is one that no index can describe; a block of the second kind has no index file then. It is false, too, as
// long as there is an index that shows a loss which nobody has been told of: it is left as it is. Nor is one
// made of a block with sectors that cannot be read: it would have them for damage when they can be again.
func (f *Files) WriteIndex(id uint32) (written bool, err error) {
	block, err := f.lease(id, true)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer block.Release()
	data, err := block.ReadAll(nil)
	if blockio.Unreadable(err) != nil {
		f.Log.Warn("a block has sectors that cannot be read, and gets no index before the next opening", "path", block.Path(), "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if evidence, err := f.isEvidence(id, data); evidence || err != nil {
		return false, err
	}
	path := block.Path()
	stat, _ := block.Stat() // as it was when the block was opened; it cannot fail
	image, _, err := blockindex.Build(path, id, block.Codec(), data, stat)
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
