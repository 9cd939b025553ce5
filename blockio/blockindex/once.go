package blockindex

import (
	"errors"
	"io"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// onceRead is the file of an index that one goroutine looks at once. What is looked at is read into memory that the next
// such index gets. To map the file, have the system make pages of it resident, copy them and unmap it again takes two to
// three times as long: each of these calls costs more than to read a few pages.
type onceRead struct {
	file   blockio.File
	memory *[]byte // of all of the file, or more; only what was read of it is of this one
}

// mostKept bounds the memory that is kept for the next index, in bytes.
const mostKept = 4 << 20

var onceMemory = sync.Pool{New: func() any { return new([]byte) }}

// openOnce opens the index in a file, which it closes in the end.
func openOnce(file blockio.File, size int64, options Options, open func([]byte, Options) (*Index, error)) (*File, error) {
	if size > mostFile {
		return nil, errors.Join(damaged("bytes of the file", size), file.Close())
	}
	r := &onceRead{file: file, memory: onceMemory.Get().(*[]byte)}
	if int64(cap(*r.memory)) < size {
		*r.memory = make([]byte, size)
	}
	data := (*r.memory)[:size]
	options.Private, options.Populate = true, func(from, to int64) error {
		n, err := file.ReadAt(data[from:to], from)
		switch {
		case int64(n) == to-from:
			return nil
		case err == nil || errors.Is(err, io.EOF):
			return damaged("bytes of the file", from+int64(n))
		}
		return err
	}
	f := &File{once: r}
	var err error
	if f.Index, err = open(data, options); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// close gives the memory back: nobody looks at the index any more.
func (r *onceRead) close() error {
	if cap(*r.memory) <= mostKept {
		onceMemory.Put(r.memory)
	}
	r.memory = nil
	return r.file.Close()
}
