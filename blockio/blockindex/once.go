package blockindex

import (
	"errors"
	"fmt"
	"io"
	"runtime"
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

// staysOpen reports whether a file may be open while another one takes its name, as it does when an index is renewed.
const staysOpen = runtime.GOOS != "windows"

// mostKept bounds the memory that is kept for the next index, in bytes.
const mostKept = 4 << 20

var onceMemory = sync.Pool{New: func() any { return new([]byte) }}

// openOnce opens the index in a file, which it closes in the end.
func openOnce(file blockio.File, size int64, options Options, open func([]byte, Options) (*Index, error)) (*File, error) {
	if err := checkHead(file, size, options, open); err != nil {
		return nil, errors.Join(err, file.Close())
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
		return fmt.Errorf("%w: %w", blockio.ErrMapped, err) // as where it is mapped
	}
	f := &File{once: r}
	var err error
	if f.Index, err = open(data, options); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkHead refuses a file above mostKept whose header is not of a file of that size, before there is memory for it.
func checkHead(file blockio.File, size int64, options Options, open func([]byte, Options) (*Index, error)) error {
	if size <= mostKept {
		return nil
	}
	if size > mostFile {
		return damaged("bytes of the file", size)
	}
	page := make([]byte, PageSize)
	if _, err := file.ReadAt(page, 0); err != nil {
		return err
	}
	var h header
	if h.decode(page); h.check(page, int(size)) == nil {
		return nil
	}
	_, err := open(page, Options{Private: true, StrictModTime: options.StrictModTime}) // says what it is
	if err == nil {
		err = damaged("bytes of the file", size)
	}
	return err
}

// close gives the memory back: nobody looks at the index any more. Another call does nothing.
func (r *onceRead) close() error {
	if r.memory == nil {
		return nil
	}
	if cap(*r.memory) <= mostKept {
		onceMemory.Put(r.memory)
	}
	r.memory = nil
	return r.file.Close()
}
