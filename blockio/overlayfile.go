package blockio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
)

// A heldFile is a file that an Overlay keeps open, for all that read it.
type heldFile struct {
	File
	refs atomic.Int64
}

func (h *heldFile) release() error {
	if h.refs.Add(-1) == 0 {
		return h.File.Close()
	}
	return nil
}

// retain takes the file into use once more. It is false when it is closed already.
func (h *heldFile) retain() bool {
	for {
		n := h.refs.Load()
		if n == 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// An overlayFile is an open file of an Overlay.
type overlayFile struct {
	overlay  *Overlay
	node     *overlayNode
	name     string
	writable bool
	base     File // nil for a file that was in memory when it was opened
	close    func() error
	closed   atomic.Bool
}

// now returns what is known of a file.
func (n *overlayNode) now() FileStat {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.memory {
		return FileStat{Size: int64(len(n.data)), ModTime: n.modTime}
	}
	return n.stat
}

// inMemory reports whether the content is in memory.
func (n *overlayNode) inMemory() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.memory
}

// isBeside reports whether a file describes a block, so that it can go at any time.
func (n *overlayNode) isBeside() bool { return filepath.Ext(n.base) == besideSuffix }

// besideSuffix ends the names of the files that describe a block.
const besideSuffix = ".bix"

// openBase opens the file below, unless the content is in memory.
func (f *overlayFile) openBase() error {
	n := f.node
	if n.inMemory() {
		return nil
	}
	if n.held != nil && n.held.retain() {
		f.base, f.close = n.held, n.held.release
		return nil
	}
	file, err := f.overlay.base.OpenFile(n.base, ModeRead)
	if err == nil {
		f.base, f.close = file, file.Close
		err = f.check()
	}
	switch {
	case err == nil:
		return nil
	case n.captured && n.isBeside() && (errors.Is(err, ErrChanged) || errors.Is(err, fs.ErrNotExist)):
		err = &fs.PathError{Op: "open", Path: f.name, Err: fs.ErrNotExist}
	case n.captured && errors.Is(err, fs.ErrNotExist):
		err = &ChangedError{f.name, "was removed"}
	}
	if f.base != nil {
		err = errors.Join(err, f.close())
	}
	return err
}

// check returns an error when the file below is not as it was.
func (f *overlayFile) check() error {
	if !f.node.captured {
		return nil
	}
	stat, err := f.base.Stat()
	if err != nil {
		return err
	}
	return f.node.compare(f.name, stat)
}

// compare returns an error when a file is not as it was.
func (n *overlayNode) compare(name string, stat FileStat) error {
	switch {
	case stat.Size != n.stat.Size:
		return &ChangedError{name, fmt.Sprintf("had %d bytes, has %d", n.stat.Size, stat.Size)}
	case stat.ModTime != n.stat.ModTime:
		return &ChangedError{name, "was written to"}
	}
	return nil
}

var errNegative = errors.New("negative offset")

func (f *overlayFile) usable(op string, write bool) error {
	switch {
	case f.closed.Load():
		return overlayError(op, f.name, fs.ErrClosed)
	case write && !f.writable:
		return overlayError(op, f.name, fs.ErrPermission)
	}
	return nil
}

// ReadAt implements File. What was changed below meanwhile is an error, as the bytes may be of before or after.
func (f *overlayFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.usable("read", false); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, overlayError("read", f.name, errNegative)
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	if !f.node.memory {
		n, err := f.base.ReadAt(p, offset)
		if changed := f.check(); changed != nil {
			return 0, changed
		}
		return n, err
	}
	n := copy(p, f.node.data[min(offset, int64(len(f.node.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load takes the content into memory, where it is changed. The caller holds the node's mu.
func (f *overlayFile) load() error {
	n := f.node
	if n.memory {
		return nil
	}
	data, err := readSized(f.base, f.name, n.stat.Size, MaxBlockFile, nil)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return err
	}
	n.memory, n.data = true, data
	return nil
}

// change changes the content, in memory.
func (f *overlayFile) change(op string, change func(n *overlayNode)) error {
	if err := f.usable(op, true); err != nil {
		return err
	}
	n := f.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := f.load(); err != nil {
		return err
	}
	n.modTime = max(n.modTime, n.stat.ModTime) + 1
	change(n)
	return nil
}

// WriteAt implements File.
func (f *overlayFile) WriteAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, overlayError("write", f.name, errNegative)
	}
	err := f.change("write", func(n *overlayNode) {
		if end := offset + int64(len(p)); end > int64(len(n.data)) {
			n.resize(end)
		}
		copy(n.data[offset:], p)
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Truncate implements File.
func (f *overlayFile) Truncate(size int64) error {
	if size < 0 {
		return overlayError("truncate", f.name, errNegative)
	}
	return f.change("truncate", func(n *overlayNode) { n.resize(size) })
}

// resize cuts the content, or adds zeros.
func (n *overlayNode) resize(size int64) {
	have := int64(len(n.data))
	if size > have {
		n.data = slices.Grow(n.data, int(size-have))
	}
	n.data = n.data[:size]
	if size > have {
		clear(n.data[have:])
	}
}

// Sync implements File. Nothing of an Overlay is durable.
func (f *overlayFile) Sync() error { return f.usable("sync", false) }

// Stat implements File.
func (f *overlayFile) Stat() (FileStat, error) {
	if err := f.usable("stat", false); err != nil {
		return FileStat{}, err
	}
	if f.base != nil && !f.node.captured && !f.node.inMemory() {
		return f.base.Stat()
	}
	return f.node.now(), nil
}

// Close implements File.
func (f *overlayFile) Close() error {
	if f.closed.Swap(true) {
		return overlayError("close", f.name, fs.ErrClosed)
	}
	if f.close != nil {
		return f.close()
	}
	return nil
}
