package blockio

import (
	"errors"
	"io"
	"path/filepath"
)

// RoomFile is written beside the blocks, and removed again, to find out whether there is room for the next ones. What a
// crash leaves of it goes when the stream is opened.
const RoomFile = "millrace.room" + UnfinishedSuffix

// ProveRoom reports whether size bytes can be written and synced in the directory of the blocks of the stream in dir, by
// doing so in a file of its own, which it removes. It writes what comes from random: a file system may keep zeros, or
// what it has already, without taking room for it.
func ProveRoom(fsys FS, dir string, size int64, random io.Reader) error {
	name := filepath.Join(BlocksDir(dir), RoomFile)
	file, err := fsys.OpenFile(name, ModeReplace)
	if err != nil {
		return err
	}
	err = writeRandom(file, size, random)
	if err == nil {
		err = SyncFile(file)
	}
	return errors.Join(err, file.Close(), fsys.Remove(name))
}

// writeRandom fills a file.
func writeRandom(file File, size int64, random io.Reader) error {
	buf := make([]byte, min(size, 64<<10))
	for at := int64(0); at < size; {
		piece := buf[:min(size-at, int64(len(buf)))]
		if _, err := io.ReadFull(random, piece); err != nil {
			return err
		}
		if err := writeAt(file, piece, at); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}
