package blockio

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// SetAsideLimit is the most bytes kept of one cut.
	SetAsideLimit = 1 << 20

	// SetAsideFiles is how many cuts of a stream are kept: the newest.
	SetAsideFiles = 8

	setAsideDir = "lost+found"
)

// SetAside copies the bytes from..to of a block, which recovery is about to cut
// off, to <stream dir>/lost+found/<block>-<from>-<n>.bin, where n counts up. At
// most SetAsideLimit bytes are kept of one cut, the first, and SetAsideFiles
// cuts, the newest. A stretch of zeros is not worth a file.
func (b *Blocks) SetAside(id uint32, from, to int64) error {
	return b.wrap("set aside part of", id, b.setAside(id, from, to))
}

func (b *Blocks) setAside(id uint32, from, to int64) error {
	if from < 0 || to <= from {
		return nil
	}
	data, err := b.readPlain(id, func(file File) ([]byte, error) {
		return readPartOf(file, b.Path(id), from, min(to-from, SetAsideLimit))
	})
	if Unreadable(err) != nil {
		err = nil // the rest is worth a copy
	}
	if err != nil || allZero(data) {
		return err
	}
	dir := filepath.Join(b.dir, setAsideDir)
	if err = b.fs.MkdirAll(dir); err != nil {
		return err
	}
	kept, err := b.listAside(dir)
	if err != nil {
		return err
	}
	count := uint64(1)
	if len(kept) > 0 {
		count = kept[len(kept)-1].count + 1
	}
	name := fmt.Sprintf("%d-%d-%d.bin", id, from, count)
	if err = ReplaceFile(b.fs, filepath.Join(dir, name), data); err != nil {
		return err
	}
	for len(kept) >= SetAsideFiles {
		err = b.fs.Remove(filepath.Join(dir, kept[0].name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		kept = kept[1:]
	}
	return nil
}

// SetAsideMeta copies meta.inf and meta.sum of the stream in dir, which are about to be made anew, to
// <dir>/lost+found: their first SetAsideLimit bytes, in place of earlier copies. A file without content is
// not worth a copy.
func SetAsideMeta(fsys FS, dir string) error {
	aside := filepath.Join(dir, setAsideDir)
	for _, name := range []string{metaFile, metaSumFile} {
		data, err := readPart(fsys, filepath.Join(dir, name), 0, SetAsideLimit)
		if Unreadable(err) != nil {
			err = nil // the rest is worth a copy
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && allZero(data) {
			continue
		}
		if err == nil {
			err = fsys.MkdirAll(aside)
		}
		if err == nil {
			err = ReplaceFile(fsys, filepath.Join(aside, name), data)
		}
		if err != nil {
			return fmt.Errorf("set meta files aside: %w", err)
		}
	}
	return nil
}

// readPart reads up to size bytes of a file from an offset on: as many as there are. When
// some of them cannot be read, the error is an *UnreadableError, and the rest comes with
// it.
func readPart(fsys FS, name string, from, size int64) ([]byte, error) {
	file, err := fsys.OpenFile(name, ModeRead)
	if err != nil {
		return nil, err
	}
	data, err := readPartOf(file, name, from, size)
	return data, errors.Join(err, file.Close())
}

func readPartOf(file File, name string, from, size int64) ([]byte, error) {
	data := make([]byte, size)
	n, err := readAround(storedFile(file), name, data, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if sealed, ok := file.(SealedFile); ok {
		unsealPart(sealed, data[:n], from)
	}
	return data[:n], err
}

type asideFile struct {
	name  string
	count uint64
}

// listAside returns the files in dir that SetAside made, the oldest first.
func (b *Blocks) listAside(dir string) ([]asideFile, error) {
	entries, err := b.fs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []asideFile
	for _, entry := range entries {
		stem, ok := strings.CutSuffix(entry.Name, ".bin")
		parts := strings.Split(stem, "-")
		if !ok || len(parts) != 3 || entry.IsDir {
			continue
		}
		if count, err := strconv.ParseUint(parts[2], 10, 63); err == nil {
			files = append(files, asideFile{name: entry.Name, count: count})
		}
	}
	slices.SortFunc(files, func(x, y asideFile) int { return cmp.Compare(x.count, y.count) })
	return files, nil
}
