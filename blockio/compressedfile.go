package blockio

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
)

// A compressedFile reads as the plain block that a compressed file has. Chunks are decoded as they are needed; those
// that were used last are kept in the cache, if there is one. What a damaged chunk had reads as bytes that no record
// begins with: it is damage like any other, and costs no more than that chunk.
//
// Nothing can be written to it. When a message is erased, the whole file is overwritten once another one has taken its
// place: whoever reads it then is told ErrSuperseded.
type compressedFile struct {
	file    File
	path    string
	stat    FileStat // of the file
	chunks  []chunk
	size    int64
	cache   *chunkCache
	kept    int          // how many chunks are in the cache, which guards it
	source  *BlockSource // nil when nobody else reads the block
	id      uint32       // of the block in it
	retired uint64       // how often the block had been overwritten when the file was opened

	head [chunkHead + chunkSum + mostChunkSize]byte // of a chunk, while the chunks are listed
}

// settle places the chunks one behind the other.
func (c *compressedFile) settle() {
	for i := range c.chunks {
		c.chunks[i].from = c.size
		c.size += c.chunks[i].size
	}
}

// Stat returns the length of the plain block, and when the file was changed.
func (c *compressedFile) Stat() (FileStat, error) {
	return FileStat{Size: c.size, ModTime: c.stat.ModTime}, nil
}

// Close implements File.
func (c *compressedFile) Close() error {
	c.cache.forget(c)
	return c.file.Close()
}

// ReadAt implements io.ReaderAt.
func (c *compressedFile) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("%w: %d", ErrOffset, offset)
	}
	i := sort.Search(len(c.chunks), func(i int) bool { return c.chunks[i].from+c.chunks[i].size > offset })
	for i < len(c.chunks) && n < len(p) {
		k := &c.chunks[i]
		skip := offset + int64(n) - k.from
		if k.kind >= chunkStored {
			part := p[n : n+int(min(int64(len(p)-n), k.size-skip))]
			if err := c.fill(&chunk{kind: k.kind, at: k.at + skip}, part); err != nil {
				return n, err
			}
			n, i = n+len(part), i+1
			continue
		}
		if skip == 0 && int64(len(p)-n) >= k.size {
			chunks, filled := c.fillRun(i, p[n:])
			if chunks == 0 {
				chunks, filled, err = 1, int(k.size), c.fill(k, p[n:n+int(k.size)])
			}
			if err != nil {
				return n, err
			}
			n, i = n+filled, i+chunks
			continue
		}
		data, err := c.decoded(i)
		if err != nil {
			return n, err
		}
		n, i = n+copy(p[n:], data[skip:]), i+1
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// longestRun is how much of the file is read at once for chunks beside each other, in bytes.
const longestRun = 256 << 10

// fillRun decodes chunks from one on that fit into p as a whole, with one read of the file, and returns how many, and how
// much they have. It ends before one that is not as it should be.
func (c *compressedFile) fillRun(i int, p []byte) (chunks, filled int) {
	start, end, size := c.chunks[i].at, int64(0), int64(0)
	last := i
	for ; last < len(c.chunks); last++ {
		k := &c.chunks[last]
		if k.kind >= chunkStored || size+k.size > int64(len(p)) || k.at < end || k.at+k.length-start > longestRun {
			break
		}
		size, end = size+k.size, k.at+k.length
	}
	if last <= i+1 {
		return 0, 0
	}
	buffer := bodies.Get().(*[]byte)
	defer bodies.Put(buffer)
	body := resized(buffer, end-start)
	if n, _ := c.file.ReadAt(body, start); n < len(body) {
		return 0, 0
	}
	for ; i < last; i++ {
		k := &c.chunks[i]
		if decodeChunk(body[k.at-start:k.at-start+k.length], p[filled:filled+int(k.size)]) != nil {
			break
		}
		chunks, filled = chunks+1, filled+int(k.size)
	}
	return chunks, filled
}

// bodies are buffers for what is read of a file and decoded.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// resized returns so many bytes of a buffer, which grows with them.
func resized(buffer *[]byte, size int64) []byte {
	if int64(cap(*buffer)) < size {
		*buffer = make([]byte, size)
	}
	return (*buffer)[:size]
}

// fill decodes a chunk. What is damaged reads as unreadableByte.
func (c *compressedFile) fill(k *chunk, into []byte) error {
	err := c.decode(k, into)
	// What is stored as it is has no checksum: zeros that a file was overwritten with look like its bytes.
	if doubtful := errors.Is(err, errChunk) || k.kind == chunkStored; doubtful && c.source != nil && c.source.retiredOf(c.id) != c.retired {
		return fmt.Errorf("%w: %s was overwritten", ErrSuperseded, c.path)
	}
	if errors.Is(err, errChunk) {
		for i := range into {
			into[i] = unreadableByte
		}
		return nil
	}
	return err
}

// decoded returns the data of a chunk, which is only read.
func (c *compressedFile) decoded(i int) ([]byte, error) {
	if data := c.cache.get(c, i); data != nil {
		return data, nil
	}
	data := make([]byte, c.chunks[i].size)
	if err := c.fill(&c.chunks[i], data); err != nil {
		return nil, err
	}
	c.cache.put(c, i, data)
	return data, nil
}

func (c *compressedFile) unwritable() error { return fmt.Errorf("%w: %s", ErrCompressed, c.path) }

// WriteAt implements File, with ErrCompressed.
func (c *compressedFile) WriteAt([]byte, int64) (int, error) { return 0, c.unwritable() }

// Truncate implements File, with ErrCompressed.
func (c *compressedFile) Truncate(int64) error { return c.unwritable() }

// Sync implements File.
func (c *compressedFile) Sync() error { return c.file.Sync() }
