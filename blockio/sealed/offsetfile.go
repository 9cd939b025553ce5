package sealed

import (
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// offsetFile is a file that is combined with a key stream, behind a head that is not.
type offsetFile struct {
	stored blockio.File
	key    *atomic.Pointer[keyStream]
	head   int64 // its length
}

// newOffsetFile returns a file with a key stream of its own.
func newOffsetFile(stored blockio.File, stream *keyStream, head int64) *offsetFile {
	f := &offsetFile{stored: stored, key: new(atomic.Pointer[keyStream]), head: head}
	f.key.Store(stream)
	return f
}

// scratchSize is how much is encrypted at a time, in bytes.
const scratchSize = 256 << 10

var scratch = sync.Pool{New: func() any {
	buf := make([]byte, scratchSize)
	return &buf
}}

// ReadAt implements blockio.File.
func (f *offsetFile) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return f.stored.ReadAt(p, offset) // whose error it is
	}
	n, err := f.stored.ReadAt(p, f.head+offset)
	stream := f.key.Load()
	stream.prepare(n, offset+int64(n), f.length)
	stream.xor(p[:n], p[:n], offset)
	return n, err
}

// length returns how long the file is, or 0.
func (f *offsetFile) length() int64 {
	stat, _ := f.Stat() // who cannot be told of an error goes without
	return stat.Size
}

// WriteAt implements blockio.File.
func (f *offsetFile) WriteAt(p []byte, offset int64) (written int, err error) {
	if offset < 0 || len(p) == 0 {
		return f.stored.WriteAt(p, offset)
	}
	pooled := scratch.Get().(*[]byte)
	defer scratch.Put(pooled)
	stream := f.key.Load()
	stream.prepare(len(p), offset+int64(len(p)), func() int64 {
		if offset == 0 {
			return 0 // it may be all that the file gets
		}
		return blockAhead
	})
	for len(p) > 0 {
		n := min(len(p), scratchSize)
		stream.xor(*pooled, p[:n], offset)
		done, err := f.stored.WriteAt((*pooled)[:n], f.head+offset)
		written += done
		if err != nil {
			return written, err
		}
		p, offset = p[n:], offset+int64(n)
	}
	return written, nil
}

// Truncate implements blockio.File.
func (f *offsetFile) Truncate(size int64) error { return f.stored.Truncate(f.head + size) }

// Sync implements blockio.File.
func (f *offsetFile) Sync() error { return f.stored.Sync() }

// Stat implements blockio.File.
func (f *offsetFile) Stat() (blockio.FileStat, error) {
	stat, err := f.stored.Stat()
	stat.Size = max(0, stat.Size-f.head)
	return stat, err
}

// Close implements blockio.File.
func (f *offsetFile) Close() error { return f.stored.Close() }
