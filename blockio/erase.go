package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// putErased makes record, the bytes of a whole record, one of an erased message with that
// sequence: as long as it was, without time, subject and headers, and with random bytes as
// its payload.
func (c *RecordCodec) putErased(record []byte, sequence uint64, random io.Reader) error {
	end := len(record) - checksumSize
	if _, err := io.ReadFull(random, record[headSize:end]); err != nil {
		return fmt.Errorf("random bytes: %w", err)
	}
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	putSequenceTime(record, sequence|erasedBit, 0)
	binary.LittleEndian.PutUint16(record[20:], 0)
	binary.LittleEndian.PutUint64(record[end:], c.sum(record, 0, false))
	return nil
}

// Erase overwrites the record of a message in a block that takes no more records, where it
// is, with one write, and syncs the block. offset and size are of the record. random gives
// the bytes that take the place of the content, and is crypto/rand.Reader in a store. It is
// done again where it was done before.
//
// First what holds subjects or copies of the block is removed, durably: what is beside it,
// what is left of attempts to write that or the block anew, and derived, names in the
// directory of the blocks. BlocksOptions.Source forgets the block, and what it has kept of
// the files that the block had before.
//
// A tombstone of the sequence, or a floor above it, is to be durable before. After a crash
// the record can be the old one, the erased one, or one that does not verify: it is then
// damage of which the sequence is known, and the tombstone says that nothing was lost with
// it, and that whatever this block ends with was not torn.
//
// A record that does not verify is overwritten as well if its length and its sequence are
// the ones that are asked for. The error wraps ErrOffset if there is another record, or
// none, ErrOpen, and ErrSync.
func (b *Blocks) Erase(id uint32, sequence uint64, offset int64, size int, random io.Reader, derived ...string) error {
	b.mu.Lock()
	open := b.open[id] != nil
	b.mu.Unlock()
	if open {
		return b.wrap("erase in", id, ErrOpen)
	}
	if offset < 0 || size < EmptyRecordSize || size > MaxRecordSize {
		return b.wrap("erase in", id, fmt.Errorf("%w: a record of %d bytes at %d", ErrOffset, size, offset))
	}
	return b.wrap("erase in", id, b.erase(id, sequence, offset, size, random, derived))
}

func (b *Blocks) erase(id uint32, sequence uint64, offset int64, size int, random io.Reader, derived []string) error {
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if err != nil {
		return err
	}
	err = b.eraseIn(file, id, sequence, offset, size, random, derived)
	return errors.Join(err, file.Close())
}

func (b *Blocks) eraseIn(file File, id uint32, sequence uint64, offset int64, size int, random io.Reader, derived []string) error {
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	readable, compressed, err := plainFile(file, b.Path(id), stat, nil)
	if err != nil {
		return err
	}
	record := make([]byte, size)
	if n, err := readable.ReadAt(record, offset); n < size {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the block ends within the record at %d", ErrOffset, offset)
		}
		return err
	}
	if !isRecordOf(record, sequence) {
		return fmt.Errorf("%w: no record of %d with %d bytes is at %d", ErrOffset, sequence, size, offset)
	}
	if err := b.clearAround(id, derived); err != nil {
		return err
	}
	if _, sealed := file.(SealedFile); compressed || sealed {
		return b.eraseAnew(file, stat.Size, readable, compressed, id, sequence, offset, size)
	}
	if source := b.opts.Source; source != nil {
		source.RetireAll(id)
		defer source.Forget(id)
	}
	if err := b.Codec(id).putErased(record, sequence, random); err != nil {
		return err
	}
	if _, err := file.WriteAt(record, offset); err != nil {
		return err
	}
	return SyncFile(file)
}

// eraseAnew is the rest of Erase for a block that is compressed or encrypted. The new file takes the place of the old one, of which
// then all is overwritten with zeros: what was compressed has no place of its own in it, and what is encrypted would be under the
// same key stream as before.
func (b *Blocks) eraseAnew(file File, length int64, readable File, compressed bool, id uint32, sequence uint64, offset int64, size int) error {
	data, err := readBlock(readable, b.Codec(id), b.Path(id), -1, nil)
	if err != nil {
		return err
	}
	// Zeros in the place of random bytes, which cannot be compressed. They are new bytes in a new file, so that nothing
	// of the old ones is under them.
	if err := b.Codec(id).putErased(data[offset:][:size], sequence, zeroReader{}); err != nil {
		return err
	}
	content := data
	if compressed {
		content = Compress(data)
	}
	err = b.putInPlace(id, func() error { return b.writeAnew(id, content) }, func() error {
		if source := b.opts.Source; source != nil {
			source.RetireAll(id)
		}
		return nil
	})
	if source := b.opts.Source; source != nil {
		defer source.Forget(id)
	}
	if err == nil {
		err = b.syncDir()
	}
	if err == nil {
		err = b.settleKey(id)
	}
	if err != nil {
		return err
	}
	if source := b.opts.Source; source != nil {
		source.RetireAll(id) // who has opened the old file since reads it no more either
	}
	if _, err := storedFile(file).WriteAt(make([]byte, length), 0); err != nil {
		return err
	}
	return SyncFile(file)
}

// zeroReader reads as zeros without an end.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// isRecordOf reports whether the length fields and the sequence of a record say that it is
// a message with that sequence, erased or not, of exactly these bytes.
func isRecordOf(record []byte, sequence uint64) bool {
	size, ok := FrameSize(record)
	field := binary.LittleEndian.Uint64(record[4:])
	return ok && size == len(record) && field&^erasedBit == sequence && sequence > 0 && sequence <= MaxSequence
}
