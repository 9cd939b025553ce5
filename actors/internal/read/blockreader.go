package read

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// blockReader is what it takes to read one block's file: an index, and the bytes.
// It stays usable while somebody holds it, also when the file is removed.
type blockReader struct {
	source *Source
	id     uint32
	path   string
	codec  *blockio.RecordCodec
	index  *blockindex.Index
	sum    blockindex.Summary
	// final: the block took no more records when the reader was made. If not, the
	// index knows of no later ones than sum.Last.
	final bool

	file    blockio.File     // nil when the bytes are mapped
	mapping *blockio.Mapping // nil when they are not
	derived *blockindex.File // nil when the index was made of the block
	heap    int64            // bytes on the heap
	// resident has a bit for each stretch of the mapping that is in memory, as far
	// as anybody knows.
	resident []atomic.Uint64

	refs atomic.Int64 // of who reads, and one of the cache
	gone atomic.Bool  // not to be used by anybody new
	used atomic.Bool  // since the cache looked last
}

// stretch is how much of a mapping is made resident at a time, in bytes: little, since
// all of it may have to come from the disk for one message.
const stretch = 16 << 10

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// openBlock makes a reader of a block: from its index if that is of use, and else
// from all of the block.
func (s *Source) openBlock(id uint32, final bool) (*blockReader, error) {
	r := &blockReader{source: s, id: id, path: s.Path(id), codec: s.recordCodec(id), final: final}
	file, err := s.FS.OpenFile(r.path, blockio.ModeRead)
	if err != nil {
		return nil, err
	}
	stat, err := r.findIndex(file)
	if err != nil {
		return nil, errors.Join(err, r.close(), file.Close())
	}
	r.sum = r.index.Summary()
	// A block that still takes records is cut when it is full, and a mapping must not
	// reach behind the end of its file.
	if !final {
		r.file = file
		return r, nil
	}
	if m, ok := blockio.MapFile(file, stat.Size); ok {
		r.mapping = m
		r.resident = make([]atomic.Uint64, stat.Size/stretch/64+1)
		return r, file.Close()
	}
	r.file = file
	return r, nil
}

// findIndex opens the index beside the block, or makes one of the block.
func (r *blockReader) findIndex(file blockio.File) (blockio.FileStat, error) {
	stat, err := file.Stat()
	if err != nil {
		return stat, err
	}
	if _, distrusted := r.source.distrusted.Load(r.id); r.final && !distrusted {
		identity, err := blockindex.IdentityOf(file, r.id)
		if err == nil {
			err = r.openIndex(identity)
		}
		if err == nil {
			stat.Size = identity.Size
			return stat, nil
		}
		// Whatever is wrong with the index, the block has it all.
		r.source.badIndex(r.id, err)
	}
	return stat, r.buildIndex(file, stat)
}

// openIndex opens the index beside the block.
func (r *blockReader) openIndex(want blockindex.Identity) error {
	x, err := blockindex.OpenFile(r.source.FS, r.path, want)
	if err != nil {
		return err
	}
	r.index, r.derived = x.Index, x
	if !x.Mapped() {
		r.heap = int64(x.Summary().Messages) * 40 // about
	}
	return nil
}

// buildIndex makes an index of the block in memory.
func (r *blockReader) buildIndex(file blockio.File, stat blockio.FileStat) error {
	// Many at a time would take the memory of as many blocks.
	var err error
	r.source.Shared.Build(func() {
		data := make([]byte, stat.Size)
		var n int
		if n, err = file.ReadAt(data, 0); err != nil && err != io.EOF {
			return
		}
		stat.Size = int64(n) // the file may have been cut meanwhile
		var image []byte
		if image, _, err = blockindex.Build(r.path, r.id, r.codec, data[:n], stat); err == nil {
			r.heap = int64(len(image))
			r.index, err = blockindex.OpenImage(image)
		}
	})
	return err
}

// tryAcquire takes the reader into use, unless it is not to be used any more.
func (r *blockReader) tryAcquire() bool {
	for {
		n := r.refs.Load()
		if n <= 0 || r.gone.Load() {
			return false
		}
		if r.refs.CompareAndSwap(n, n+1) {
			if !r.used.Load() {
				r.used.Store(true)
			}
			return true
		}
	}
}

// release ends a use.
func (r *blockReader) release() {
	if r.refs.Add(-1) == 0 {
		// Opened for reading: there is nothing to lose.
		_ = r.close()
	}
}

func (r *blockReader) close() error {
	var errs []error
	if r.mapping != nil {
		errs = append(errs, r.mapping.Close())
	}
	if r.derived != nil {
		errs = append(errs, r.derived.Close())
	}
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	// The block's view may hold on to the reader: not to its memory.
	r.index, r.resident = nil, nil
	return errors.Join(errs...)
}

// covers reports whether the reader knows of sequences this high.
func (r *blockReader) covers(sequence uint64) bool { return r.final || sequence <= r.sum.Last }

// at returns size bytes of the block from an offset on: of the mapping, or read into
// the buffer.
func (r *blockReader) at(offset int64, size int, buffer *[]byte) ([]byte, error) {
	if r.mapping != nil {
		data := r.mapping.Bytes()
		if offset < 0 || offset+int64(size) > int64(len(data)) {
			return nil, io.ErrUnexpectedEOF
		}
		if err := r.populate(offset, offset+int64(size)); err != nil {
			// The disk cannot give some of the stretch. Perhaps this record.
			return r.direct(offset, size, buffer)
		}
		return data[offset : offset+int64(size) : offset+int64(size)], nil
	}
	return readAt(r.file, offset, size, buffer)
}

// readAt reads size bytes into a buffer, which grows with them.
func readAt(file io.ReaderAt, offset int64, size int, buffer *[]byte) ([]byte, error) {
	if cap(*buffer) < size {
		*buffer = make([]byte, max(size, 4<<10))
	}
	into := (*buffer)[:size]
	n, err := file.ReadAt(into, offset)
	if n == size {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return into[:n], err
}

// direct reads from the file itself, past the mapping.
func (r *blockReader) direct(offset int64, size int, buffer *[]byte) ([]byte, error) {
	file, err := r.source.FS.OpenFile(r.path, blockio.ModeRead)
	if err != nil {
		return nil, err
	}
	defer file.Close() // opened for reading: there is nothing to lose
	return readAt(file, offset, size, buffer)
}

// populate makes bytes of the mapping resident before they are touched for the
// first time: a page fault would stop more than the one goroutine.
func (r *blockReader) populate(from, to int64) error {
	for i := from / stretch; i <= (to-1)/stretch; i++ {
		word, bit := &r.resident[i/64], uint64(1)<<(i%64)
		if word.Load()&bit != 0 {
			continue
		}
		if err := r.mapping.Populate(i*stretch, (i+1)*stretch); err != nil {
			return err
		}
		word.Or(bit)
	}
	return nil
}

// record returns the bytes of record i, and where they are. The index's checksum
// covers all of them; when it does not match although the record's own does, the
// index is not of this block, as it is now.
func (r *blockReader) record(i int, buffer *[]byte) (data []byte, offset int64, err error) {
	entry, err := r.index.Record(i)
	if err != nil {
		return nil, 0, err
	}
	data, err = r.at(entry.Offset, entry.Size, buffer)
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, entry.Offset, err
	}
	if len(data) == entry.Size && crc32.Checksum(data, crcTable) == entry.CRC {
		return data, entry.Offset, nil
	}
	if len(data) < entry.Size && !r.final {
		// The file was cut under the reader, or is just being written.
		return nil, entry.Offset, fmt.Errorf("%w: it ends within the record at %d", blockindex.ErrStale, entry.Offset)
	}
	if _, own := r.codec.Decode(data); own != nil {
		return nil, entry.Offset, own
	}
	return nil, entry.Offset, fmt.Errorf("%w: record at %d", blockindex.ErrStale, entry.Offset)
}

// acquire returns a reader of a block that knows of sequences as high as one. The
// caller releases it.
func (s *Source) acquire(b *engine.BlockView, sequence uint64) (*blockReader, error) {
	if p := b.Attached.Load(); p != nil {
		if r := (*p).(*blockReader); r.tryAcquire() {
			if r.covers(sequence) {
				return r, nil
			}
			s.Shared.cache.drop(r)
			r.release()
		}
	}
	for again := false; ; again = true {
		r, err := s.Shared.cache.acquire(cacheKey{s, b.ID}, func() (*blockReader, error) {
			return s.openBlock(b.ID, s.whole(b))
		})
		if err != nil {
			return nil, err
		}
		if !r.covers(sequence) && !again {
			s.Shared.cache.drop(r)
			r.release()
			continue
		}
		attached := any(r)
		b.Attached.Store(&attached)
		return r, nil
	}
}

// whole reports whether the file of a block has all of its records: another block
// follows, and what was in memory has been written.
func (s *Source) whole(b *engine.BlockView) bool {
	if b.Tail != nil {
		if _, inMemory := b.Tail.Start(); inMemory {
			return false
		}
	}
	return s.Published.View().Next(b) != nil
}

// discard makes the next reader of a block be made anew, and its index be written
// again: it has turned out to be wrong.
func (s *Source) discard(r *blockReader, why error) {
	s.Shared.cache.drop(r)
	if r.final && !errors.Is(why, blockio.ErrMapped) { // a fault is the disk's
		s.badIndex(r.id, why)
	}
}

// recordBuffers hold records that cannot be mapped while they are checked and copied.
var recordBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}
