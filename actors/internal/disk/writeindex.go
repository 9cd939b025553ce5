package disk

import (
	"errors"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

// An indexAttempt is the making of an index.
type indexAttempt struct {
	block    uint32
	outdated bool // it was changed meanwhile
}

// WriteIndex reads a sealed block and writes its index file. It returns false when the block has gone
// meanwhile, or is one that no index can describe; a block of the second kind has no index file then. It is false, too, as
// long as there is an index that shows a loss which nobody has been told of: it is left as it is. So is one that says
// what a block had whose end is damaged, as no other can be written: without it all that is missing there would be taken
// for lost, also what was removed. Nor is one made of a block with sectors that cannot be read: it would have them for damage when they can be again.
//
// A block that is rewritten, or of which a message is erased, meanwhile is read again: an index of what it was
// would speak of a loss, or hold the subject.
//
// memory is all that was written to the block, in pieces of whole records, or nil. With it the block is not read
// unless one of these things happens, or it has an index already.
func (f *Files) WriteIndex(id uint32, memory [][]byte) (written bool, err error) {
	for {
		attempt := f.attempt(id)
		written, err = f.writeIndex(id, memory, attempt)
		memory = nil
		f.beside.Lock()
		delete(f.building, attempt)
		again := attempt.outdated
		f.beside.Unlock()
		if !again {
			return written, err
		}
	}
}

// attempt notes that an index of a block is being made.
func (f *Files) attempt(id uint32) *indexAttempt {
	f.beside.Lock()
	defer f.beside.Unlock()
	if f.building == nil {
		f.building = make(map[*indexAttempt]struct{})
	}
	attempt := &indexAttempt{block: id}
	f.building[attempt] = struct{}{}
	return attempt
}

// change calls f, which changes a block and what is beside it, while nothing else does. An index that is being
// made of the block is not written.
func (f *Files) change(id uint32, change func() error) error {
	f.beside.Lock()
	defer f.beside.Unlock()
	for attempt := range f.building {
		attempt.outdated = attempt.outdated || attempt.block == id
	}
	delete(f.opened, id)
	return change()
}

// RenewIndex makes the index of a block one of the block's file as it is now, see blockindex.Renew.
func (f *Files) RenewIndex(now blockindex.Identity) error {
	if f.ReadOnly {
		return nil
	}
	f.beside.Lock()
	defer f.beside.Unlock()
	return blockindex.Renew(f.FS, blockindex.Path(f.Blocks.Path(now.Block)), now)
}

// writeIndex is WriteIndex in one attempt, whose result is of no meaning if that is outdated.
func (f *Files) writeIndex(id uint32, memory [][]byte, attempt *indexAttempt) (written bool, err error) {
	block, err := f.lease(id, true)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer block.Release()
	if memory != nil && !f.hasIndex(id) {
		image, err := blockindex.BuildWritten(block, id, memory)
		if err == nil || errors.Is(err, blockindex.ErrLimit) {
			return f.takeIndex(block.Path(), image, err, attempt)
		}
		f.Log.Warn("the file of a block is not what was written to it", "path", block.Path(), "error", err)
	}
	data, err := block.ReadAll(nil)
	if blockio.Unreadable(err) != nil {
		f.Log.Warn("a block has sectors that cannot be read, and gets no index before the next opening", "path", block.Path(), "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	evidence, exact, err := f.weighIndex(id, data)
	if evidence || err != nil {
		return false, err
	}
	stat, _ := block.Stat() // as it was when the block was opened; it cannot fail
	image, _, err := blockindex.Build(block.Path(), id, block.Codec(), data, stat)
	if exact && err == nil {
		return f.replaceIndex(block.Path(), image, attempt)
	}
	return f.takeIndex(block.Path(), image, err, attempt)
}

// hasIndex reports whether there may be an index file of a block.
func (f *Files) hasIndex(id uint32) bool {
	path := blockindex.Path(f.Blocks.Path(id))
	file, err := f.FS.OpenFile(path, blockio.ModeRead)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false
	case err != nil:
		f.Log.Warn("cannot tell whether a block has an index", "path", path, "error", err)
	default:
		_ = file.Close() // it was opened for reading, so an error of closing it loses nothing
	}
	return true
}

// takeIndex is putIndex, unless the attempt is outdated.
func (f *Files) takeIndex(path string, image []byte, err error, attempt *indexAttempt) (written bool, _ error) {
	f.beside.Lock()
	defer f.beside.Unlock()
	if attempt.outdated {
		return false, nil
	}
	return f.putIndex(path, image, err)
}

// replaceIndex puts an index in the place of one that stays if the block is such that it can have no other.
func (f *Files) replaceIndex(path string, image []byte, attempt *indexAttempt) (written bool, _ error) {
	f.beside.Lock()
	defer f.beside.Unlock()
	if attempt.outdated {
		return false, nil
	}
	err := blockindex.Write(f.FS, blockindex.Path(path), image)
	if errors.Is(err, blockindex.ErrUnsealed) {
		return false, nil
	}
	return err == nil, err
}

// putIndex writes the index that was made of a block, or removes the file when none could be made. The caller
// holds f.beside.
func (f *Files) putIndex(path string, image []byte, err error) (written bool, _ error) {
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
