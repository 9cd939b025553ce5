package blocktest

import (
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A memFile is an open file of a MemFS.
type memFile struct {
	fs       *MemFS
	node     *node
	name     string
	writable bool
	closed   atomic.Bool
}

// write changes a file at a time that tick returned.
func (n *node) write(data []byte, offset, now int64) {
	n.modTime = now
	n.live.writeAt(data, offset)
	n.pending = append(n.pending, write{offset: offset, data: append([]byte(nil), data...)})
}

func (n *node) truncate(size, now int64) {
	n.modTime = now
	n.live.truncate(size)
	n.pending = append(n.pending, write{offset: size, truncate: true})
}

func (n *node) sync() {
	n.durableTime = n.modTime
	if len(n.pending) == 0 {
		return
	}
	if n.forgot {
		for _, w := range n.pending {
			w.to(&n.durable)
		}
	} else {
		n.durable = n.live.clone()
	}
	n.pending = nil
}

func (f *memFile) check(op string, write bool) error {
	switch {
	case f.closed.Load():
		return pathError(op, f.name, fs.ErrClosed)
	case write && !f.writable:
		return pathError(op, f.name, fs.ErrPermission)
	}
	return nil
}

// ReadAt implements blockio.File.
func (f *memFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, pathError("read", f.name, errors.New("negative offset"))
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n := f.node.live.readAt(p, offset)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements blockio.File.
func (f *memFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, pathError("write", f.name, errors.New("negative offset"))
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.write(p, offset, f.fs.tick())
	return len(p), nil
}

// Truncate implements blockio.File.
func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", f.name, fs.ErrInvalid)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.truncate(size, f.fs.tick())
	return nil
}

// Sync implements blockio.File.
func (f *memFile) Sync() error {
	if err := f.check("sync", false); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.sync()
	return nil
}

// Stat implements blockio.File.
func (f *memFile) Stat() (blockio.FileStat, error) {
	if err := f.check("stat", false); err != nil {
		return blockio.FileStat{}, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return blockio.FileStat{Size: f.node.live.size, ModTime: f.node.modTime}, nil
}

// Close implements blockio.File.
func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return nil
}
