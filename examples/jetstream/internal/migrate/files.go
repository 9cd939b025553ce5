package migrate

import (
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// file is a file of a stream.
type file struct {
	path     string // below the stream's folder
	size     int64
	modified int64
}

// lockName is our lock file: whoever has the stream open has it, and a copy is another stream.
const lockName = "millrace.lock"

// files yields the files of a folder and those below it. What goes meanwhile is passed over.
func files(dir string) iter.Seq2[file, error] {
	return func(yield func(file, error) bool) {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || entry.Name() == lockName {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			below, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			if !yield(file{below, info.Size(), info.ModTime().UnixNano()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(file{}, err)
		}
	}
}

// listing is the names, sizes and times of all files of a folder.
func listing(dir string) (string, error) {
	var list strings.Builder
	for f, err := range files(dir) {
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&list, f.path, f.size, f.modified)
	}
	return list.String(), nil
}

// copyFiles copies the files of a folder, and syncs them.
func copyFiles(target, source string, copied func(bytes int64)) error {
	for f, err := range files(source) {
		if err != nil {
			return err
		}
		path := filepath.Join(target, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := copyFile(path, filepath.Join(source, f.path), copied); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(target, source string, copied func(int64)) (err error) {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was read
	to, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := to.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := io.Copy(to, io.TeeReader(from, counter(copied))); err != nil {
		return err
	}
	return to.Sync()
}

// counter counts what is written to it.
type counter func(int64)

func (c counter) Write(p []byte) (int, error) {
	c(int64(len(p)))
	return len(p), nil
}

// syncDirs makes the names in a folder, and in those below it, durable.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error { return blockio.SyncDir(blockio.OS, dir) }
