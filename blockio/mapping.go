package blockio

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// A Mapping is a file in memory, for reading. It stays usable after the File it
// was made from is closed, and after the file is removed or replaced.
//
// Reading memory whose file was truncated meanwhile, or whose disk fails, is a
// fault that ends the process: read under Guard. Bytes and Populate may be called
// by several goroutines at once; Close only when nobody uses the bytes any more.
type Mapping struct {
	data   []byte
	closed atomic.Bool
}

// A Mapper is a File that can be mapped, read only. Only the real file system has it, and
// a test that injects faults into memory: one that injects them into reads must see these.
type Mapper interface {
	MapBytes(size int64) ([]byte, error)
}

// MapFile maps the first size bytes of a file. It is false when that cannot be
// done, for whatever reason: the file system has no mappings, size is 0 or less,
// or the machine has no room. The caller then reads the file instead. What lies
// behind the end of the file faults when it is read.
func MapFile(f File, size int64) (*Mapping, bool) {
	m, ok := f.(Mapper)
	if !ok || size <= 0 || size != int64(int(size)) {
		return nil, false
	}
	data, err := m.MapBytes(size)
	if err != nil {
		return nil, false
	}
	return &Mapping{data: data}, true
}

// Bytes returns the bytes of the file: nil after Close. They must not be written to.
func (m *Mapping) Bytes() []byte {
	if m.closed.Load() {
		return nil
	}
	return m.data
}

// Populate makes bytes from..to resident: one system call in place of a page fault
// each, which would stop more than the one goroutine. Offsets outside of the mapping
// are brought inside. Where the system cannot do it, nothing happens. The error wraps
// ErrMapped: the bytes cannot be read at all.
func (m *Mapping) Populate(from, to int64) error {
	page := int64(os.Getpagesize()) // a mapping starts at a page
	from = max(from, 0) &^ (page - 1)
	to = min(to, int64(len(m.data)))
	if from >= to || m.closed.Load() {
		return nil
	}
	if err := populate(m.data[from:to]); err != nil {
		return fmt.Errorf("%w: bytes %d to %d: %w", ErrMapped, from, to, err)
	}
	return nil
}

// around returns what the system maps along with the byte at an offset, if it has it in memory: it goes by addresses.
func (m *Mapping) around(offset int64) (from, to int64) {
	shift := int64(uintptr(unsafe.Pointer(unsafe.SliceData(m.data))) % mappedAround)
	from = (offset+shift)&^(mappedAround-1) - shift
	return max(from, 0), min(from+mappedAround, int64(len(m.data)))
}

// inMemory reports whether the system has all of bytes from..to in memory, as far as it tells. from is where a page begins.
func (m *Mapping) inMemory(from, to int64) bool { return !m.closed.Load() && inMemory(m.data[from:to]) }

// Close returns the memory to the system. A second Close does nothing.
func (m *Mapping) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	return unmap(m.data)
}

// Guard calls f, which may read mapped memory. A memory fault in f, on this
// goroutine, becomes an error that wraps ErrMapped; every other panic goes on. f
// must leave nothing half done that matters: it stops in the middle.
func Guard(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			err = faultError(r)
		}
	}()
	return f()
}

// faultError turns what a memory fault panics with into an error, and panics on with
// everything else. A fault of a nil pointer has no address.
func faultError(r any) error {
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		panic(r)
	}
	return fmt.Errorf("%w: %w", ErrMapped, fault)
}
