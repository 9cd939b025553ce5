package blockio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// stateChunk is how much of a StateFile is written before it is synced, in bytes: a sync of another file may have to
// wait until the system has written what is dirty of this one.
const stateChunk = 1 << 20

// OwnStateMagic is what ends a StateFile of Millrace, before its checksum: see package streamstate.
const OwnStateMagic = "MRSTATE1"

// isOwnState reports whether a StateFile is one of Millrace, by how it ends.
func isOwnState(fsys FS, path string) (bool, error) {
	file, err := fsys.OpenFile(path, ModeRead)
	if err != nil {
		return false, err
	}
	defer file.Close() // it was opened for reading, so an error of closing it loses nothing
	stat, err := file.Stat()
	if err != nil {
		return false, err
	}
	const sum = 8
	var end [len(OwnStateMagic) + sum]byte
	n, err := file.ReadAt(end[:], max(0, stat.Size-int64(len(end))))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n == len(end) && string(end[:len(OwnStateMagic)]) == OwnStateMagic, err
}

// WriteStateFile writes a file beside the blocks, such as the StateFile, of pieces that follow each other, under a name for
// the time until PutStateFile. With sync it is durable on return; but for one that is written at once, it is synced bit by bit.
func (b *Blocks) WriteStateFile(name string, pieces [][]byte, sync, atOnce bool) error {
	path := filepath.Join(b.Dir(), name) + UnfinishedSuffix
	file, err := b.fs.OpenFile(path, ModeReplace)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if atOnce {
		pieces = [][]byte{bytes.Join(pieces, nil)}
	}
	at := int64(0)
	for _, piece := range pieces {
		for len(piece) > 0 && err == nil {
			n := len(piece)
			if !atOnce {
				n = min(n, stateChunk)
			}
			if _, err = file.WriteAt(piece[:n], at); err == nil && sync {
				err = file.Sync()
			}
			at, piece = at+int64(n), piece[n:]
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, b.DropStateFile(name)))
	}
	return nil
}

// PutStateFile puts what WriteStateFile has written in the place of the file of that name. Until the directory is
// synced, a loss of power may bring the old one back.
func (b *Blocks) PutStateFile(name string) error {
	path := filepath.Join(b.Dir(), name)
	if err := b.fs.Rename(path+UnfinishedSuffix, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, errors.Join(err, b.DropStateFile(name)))
	}
	return nil
}

// DropStateFile removes what WriteStateFile has written.
func (b *Blocks) DropStateFile(name string) error {
	err := b.fs.Remove(filepath.Join(b.Dir(), name) + UnfinishedSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncStateFiles makes durable that files were put in their places.
func (b *Blocks) SyncStateFiles() error {
	if err := b.syncDir(); err != nil {
		return fmt.Errorf("sync %s: %w", b.Dir(), err)
	}
	return nil
}
