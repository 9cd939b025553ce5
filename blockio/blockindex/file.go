package blockindex

import (
	"errors"
	"io"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// ErrMissing: there is no index file beside the block.
var ErrMissing = errors.New("blockindex: no index file")

// mostFile bounds the index files that are read into memory where they cannot be mapped, in bytes.
const mostFile = 1 << 30

// File is the index file of a block, open for reading. It is mapped where the system has mappings,
// and on the heap elsewhere, or where it is looked at once.
type File struct {
	*Index
	mapping *blockio.Mapping // nil when the index is on the heap
	once    *onceRead        // of Options.Once
}

// OpenFile opens the index file beside the block at blockPath, if it is of the block that want
// describes. Private and Populate of the options are set as the file and Once demand. The error is ErrMissing
// when there is no such file, ErrStale when it is of another block or of an earlier state of this one,
// ErrDamaged, or one of the file system.
func OpenFile(fsys blockio.FS, blockPath string, want Identity, options Options) (*File, error) {
	return openFile(fsys, blockPath, options, func(data []byte, options Options) (*Index, error) {
		return Open(data, want, options)
	})
}

// openFile maps or reads the index file beside the block at blockPath, and opens the index in it.
func openFile(fsys blockio.FS, blockPath string, options Options, open func([]byte, Options) (*Index, error)) (*File, error) {
	file, err := fsys.OpenFile(Path(blockPath), blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	stat, err := file.Stat()
	if err == nil && options.Once && staysOpen {
		return openOnce(file, stat.Size, options, open)
	}
	defer file.Close() // it was opened for reading, so an error of closing it loses nothing
	if err != nil {
		return nil, err
	}
	f := &File{}
	var data []byte
	if m, ok := blockio.MapFile(file, stat.Size); ok {
		f.mapping, data = m, m.Bytes()
		options.Private, options.Populate = false, m.Populate
	} else {
		if data, err = readWhole(file, stat.Size); err != nil {
			return nil, err
		}
		options.Private, options.Populate = true, nil
	}
	if f.Index, err = open(data, options); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readFile returns all bytes of an index file.
func readFile(fsys blockio.FS, path string) ([]byte, error) {
	file, err := fsys.OpenFile(path, blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() // it was opened for reading, so an error of closing it loses nothing
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return readWhole(file, stat.Size)
}

// readWhole reads the bytes of an index file onto the heap.
func readWhole(file blockio.File, size int64) ([]byte, error) {
	if size > mostFile {
		return nil, damaged("bytes of the file", size)
	}
	data := make([]byte, size)
	if n, err := file.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, err
	} else if n < len(data) {
		return nil, damaged("bytes read of the file", n)
	}
	return data, nil
}

// Mapped reports whether the index is mapped, and takes no memory on the heap.
func (f *File) Mapped() bool { return f.mapping != nil }

// Populate brings the whole index into memory, as far as it was not brought there before, for callers that
// are about to use most of it. An error of the disk is not reported here: it comes again when the page is
// used.
func (f *File) Populate() {
	if last := len(f.data) - 1; last >= 0 {
		_ = f.populate(0, uint32(last/populateStretch))
	}
}

// Close ends the use of the index.
func (f *File) Close() error {
	if f.Index != nil {
		f.DropPages()
	}
	switch {
	case f.once != nil:
		return f.once.close()
	case f.mapping != nil:
		return f.mapping.Close()
	}
	return nil
}
