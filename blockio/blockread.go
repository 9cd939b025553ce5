package blockio

import (
	"fmt"
	"io"
)

// stretch is how much of a mapping is made resident at a time, in bytes: little, since
// all of it may have to come from the disk for one record.
const stretch = 16 << 10

// At returns size bytes of the block from an offset on. Of a mapped block they are the
// memory that the file is mapped to, which the caller reads under Guard and before the
// Release. Of others they are in *buffer, which is replaced when it is too small. When
// the block ends before that, the error is io.ErrUnexpectedEOF, and the bytes that there
// are come with it.
func (b *Block) At(offset int64, size int, buffer *[]byte) ([]byte, error) {
	if offset < 0 || size < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if b.mapping == nil {
		return readInto(b.file, offset, size, buffer)
	}
	data := b.mapping.Bytes()
	end := min(int64(len(data)), offset+int64(size))
	if offset > end { // or beyond what an int64 holds
		return nil, io.ErrUnexpectedEOF
	}
	if err := b.populate(offset, end, true); err != nil {
		// The disk cannot read some of the stretches, which may be others than hold these
		// bytes. The file shows.
		return readInto(b.file, offset, size, buffer)
	}
	data = data[offset:end:end]
	if len(data) < size {
		return data, io.ErrUnexpectedEOF
	}
	return data, nil
}

// FromFile is At for a block of which some bytes may be unreadable: it reads the file,
// also of a mapped block, and around what cannot be read. The error is then an
// *UnreadableError, and the rest comes with it.
func (b *Block) FromFile(offset int64, size int, buffer *[]byte) ([]byte, error) {
	if offset < 0 || size < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return readInto(around{b.file, b.path}, offset, size, buffer)
}

// around is a file that is read around what cannot be read.
type around struct {
	file File
	path string
}

func (a around) ReadAt(p []byte, offset int64) (int, error) {
	return readAround(a.file, a.path, p, offset)
}

// AnyReadable reports whether the disk can read any of a few places of the block: if not,
// it does not work at the moment, and nothing is wrong with the block. Of a block that is
// read at once nobody can tell.
func (b *Block) AnyReadable() bool {
	if b.stat.Size <= readPage {
		return true
	}
	var probe [1]byte
	for i := range int64(readProbes) {
		if _, err := b.file.ReadAt(probe[:], b.stat.Size*i/readProbes); !IsReadFailure(err) {
			return true
		}
	}
	return false
}

// readProbes is how many places AnyReadable tries.
const readProbes = 8

// readInto reads size bytes into a buffer, which grows with them.
func readInto(file io.ReaderAt, offset int64, size int, buffer *[]byte) ([]byte, error) {
	if cap(*buffer) < size {
		*buffer = make([]byte, max(size, 4<<10))
	}
	into := (*buffer)[:size]
	n, err := file.ReadAt(into, offset)
	if n == size && err != nil && Unreadable(err) == nil {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return into[:n], err
}

// populate makes bytes of the mapping resident before they are touched for the first
// time: a page fault would stop more than the one goroutine. Stretches beside each other
// are populated together. around: see noteAround, which is not worth it for who passes by once.
func (b *Block) populate(from, to int64, around bool) error {
	for i := from / stretch; i*stretch < to; i++ {
		first := i
		for i*stretch < to && !b.isResident(i) {
			i++
		}
		if first == i {
			continue
		}
		if err := b.mapping.Populate(first*stretch, i*stretch); err != nil {
			return err
		}
		b.setResident(first, i)
		if around {
			b.noteAround(first)
		}
	}
	return nil
}

// mappedAround is how much the system maps of a file at once, in bytes, as far as it has it in memory: with a page that was
// populated come those around it, from an address that is a multiple of this.
const mappedAround = 64 << 10

// noteAround spares the stretches around one that was populated the same, if all that the system maps along with its first
// page is in memory.
func (b *Block) noteAround(i int64) {
	from, to := b.mapping.around(i * stretch)
	if !b.mapping.inMemory(from, to) {
		return
	}
	last := to / stretch
	if to == b.stat.Size {
		last = (to-1)/stretch + 1
	}
	b.setResident((from+stretch-1)/stretch, last)
}

// setResident notes that stretches from..to-1 were populated.
func (b *Block) setResident(from, to int64) {
	for ; from < to; from++ {
		b.resident[from/64].Or(1 << (from % 64))
	}
}

// Prepare makes pieces of the block resident that At is about to be asked for, if the
// first one of them is not, those beside each other together. It reports whether it had
// to do something; of a block that is not mapped it never has. An error comes again from
// At.
func (b *Block) Prepare(pieces int, piece func(i int) (offset int64, size int)) bool {
	if b.mapping == nil {
		return false
	}
	var from, to int64 // stretches that are not populated yet
	for i := range pieces {
		offset, size := piece(i)
		if offset < 0 || size <= 0 || offset > b.stat.Size-int64(size) {
			continue
		}
		first, end := offset/stretch, (offset+int64(size)-1)/stretch+1
		switch {
		case i == 0 && first+1 == end && b.isResident(first):
			return false
		case from == to:
			from, to = first, end
		case first <= to && from <= end:
			from, to = min(from, first), max(to, end)
		default:
			if b.populate(from*stretch, to*stretch, false) != nil {
				return true
			}
			from, to = first, end
		}
	}
	_ = b.populate(from*stretch, to*stretch, false)
	return from < to
}

// isResident reports whether a stretch of the mapping was populated.
func (b *Block) isResident(i int64) bool { return b.resident[i/64].Load()&(1<<(i%64)) != 0 }

// Resident returns bytes of the block as far as At would return them without asking the system for anything: nil for a
// block that is not mapped, and for a stretch that was not populated before.
func (b *Block) Resident(offset int64, size int) []byte {
	if b.mapping == nil || offset < 0 || size <= 0 || offset > b.stat.Size-int64(size) {
		return nil
	}
	end := offset + int64(size)
	for i := offset / stretch; i*stretch < end; i++ {
		if !b.isResident(i) {
			return nil
		}
	}
	return b.mapping.Bytes()[offset:end:end]
}

// ReadAt reads bytes of the block, as io.ReaderAt says, for those who go through it in
// order. It reads the file as it is now, also of a mapped block, and so never faults and
// has the system read ahead.
func (b *Block) ReadAt(p []byte, offset int64) (int, error) { return b.file.ReadAt(p, offset) }

// ReadAll returns all bytes of the block, in buf, which is replaced when it is too
// small: of a whole block as many as it had when it was opened, of another what it has
// now. More than MaxBlockFile is ErrTooLarge. When a whole block has become shorter, the
// error wraps io.ErrUnexpectedEOF, and the bytes that there are come with it. When some
// of it cannot be read, it is an *UnreadableError, and the rest comes with it.
func (b *Block) ReadAll(buf []byte) ([]byte, error) {
	if !b.whole {
		return readBlock(b.file, b.codec, b.path, -1, buf)
	}
	data, err := readBlock(b.file, b.codec, b.path, b.stat.Size, buf)
	if err == nil && int64(len(data)) < b.stat.Size {
		err = fmt.Errorf("read %s: %d of %d bytes: %w", b.path, len(data), b.stat.Size, io.ErrUnexpectedEOF)
	}
	return data, err
}
