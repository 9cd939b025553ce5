package blockio

import (
	"errors"
	"fmt"
	"io/fs"
)

// Somebody who has the directory open beside us, and takes no lock of ours, is noticed by what it does to the files.
// Looking for that costs system calls, so it is done where a block is created or sealed, or its file made longer by a
// synced append.

// checkSize returns what the file of a block that is open for writing is, and a *ChangedError when it has not the size
// that was given to it.
func (b *Blocks) checkSize(id uint32, t *tail) (FileStat, error) {
	stat, err := t.file.Stat()
	if err == nil && stat.Size != t.size {
		err = &ChangedError{b.Path(id), fmt.Sprintf("had %d bytes, has %d", t.size, stat.Size)}
	}
	return stat, err
}

// checkOurs returns a *ChangedError when the file of a block that is open for writing is not what was written through
// its handle, as far as size and name tell.
func (b *Blocks) checkOurs(id uint32, t *tail) error {
	stat, err := b.checkSize(id, t)
	if err != nil {
		return err
	}
	// As for writing: a commit waits for that, where who only reads is told that the process has too many files open.
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{b.Path(id), "was removed"}
	}
	if err != nil {
		return err
	}
	named, err := file.Stat()
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if named != stat {
		return &ChangedError{b.Path(id), "was replaced"}
	}
	return nil
}

// created adds to an error of making a block that there is one of that number, which nobody but somebody else can have
// made: numbers are not used twice.
func (b *Blocks) created(id uint32, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return errors.Join(&ChangedError{b.Path(id), "was made"}, err)
	}
	return err
}
