package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"sync"
)

// TruncationFile is the name of the file, beside the blocks, that says how the end of the log is being cut off.
// It is written, durably, before the first block is changed, and removed when all of it is done: whoever opens
// the stream and finds it carries it out again, so that a crash leaves all of it or nothing.
const TruncationFile = "millrace.truncate"

// A Truncation is what is to become of the blocks when the end of the log is cut off.
type Truncation struct {
	Last uint64 // the last sequence that is left, 0 for none
	// Cut is the block to cut behind the records of sequences up to Last, 0 for none.
	Cut    uint32
	Remove []uint32 // blocks that go as a whole
	// Into is the number of a block to create with Content, 0 for none. One that is there is complete.
	Into    uint32
	Content []byte
}

const (
	truncationMagic  = "MRTRUNCT"
	truncationHeader = 36
	// mostTruncation bounds the file, in bytes.
	mostTruncation = MaxBlockFile + 1<<20
)

// Layout of the file (all integers little-endian):
//
//	0   8 bytes  the magic
//	8   u32      version, 1
//	12  u64      last sequence that is left
//	20  u32      block to cut
//	24  u32      block to create
//	28  u32      number of blocks to remove
//	32  u32      bytes of the block to create
//	36  numbers of the blocks to remove, u32 each
//	    bytes of the block to create
//	    u32      CRC-32C of all before
func (t *Truncation) encode() []byte {
	data := make([]byte, 0, truncationHeader+4*len(t.Remove)+len(t.Content)+4)
	data = append(data, truncationMagic...)
	data = binary.LittleEndian.AppendUint32(data, 1)
	data = binary.LittleEndian.AppendUint64(data, t.Last)
	data = binary.LittleEndian.AppendUint32(data, t.Cut)
	data = binary.LittleEndian.AppendUint32(data, t.Into)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(t.Remove)))
	data = binary.LittleEndian.AppendUint32(data, uint32(len(t.Content)))
	for _, id := range t.Remove {
		data = binary.LittleEndian.AppendUint32(data, id)
	}
	data = append(data, t.Content...)
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

func decodeTruncation(data []byte) (t Truncation, ok bool) {
	if len(data) < truncationHeader+4 || string(data[:8]) != truncationMagic || binary.LittleEndian.Uint32(data[8:]) != 1 {
		return t, false
	}
	blocks, content := uint64(binary.LittleEndian.Uint32(data[28:])), uint64(binary.LittleEndian.Uint32(data[32:]))
	if uint64(len(data)) != truncationHeader+4*blocks+content+4 ||
		binary.LittleEndian.Uint32(data[len(data)-4:]) != crc32.Checksum(data[:len(data)-4], castagnoli) {
		return t, false
	}
	t.Last = binary.LittleEndian.Uint64(data[12:])
	t.Cut, t.Into = binary.LittleEndian.Uint32(data[20:]), binary.LittleEndian.Uint32(data[24:])
	at := data[truncationHeader:]
	for ; blocks > 0; blocks-- {
		t.Remove = append(t.Remove, binary.LittleEndian.Uint32(at))
		at = at[4:]
	}
	if content > 0 {
		t.Content = at[:content:content]
	}
	return t, t.Last <= MaxSequence && t.Cut <= MaxBlockID && t.Into <= MaxBlockID
}

// Left is what is left of the block that is cut: its bytes, nil when it is not to be changed, or is not there any more.
type Left struct {
	Data    []byte
	written bool // to a file that is to take the place of the block's, and synced
}

// WriteTruncation writes down what is to become of the blocks, durably. What is left of the block that is cut is written meanwhile, to another
// file: the disk has the syncs of both at the same time. If the truncation is never carried out, it is removed as what a crash
// leaves is. In an encrypted stream CarryOut writes it, since that begins a key.
func (b *Blocks) WriteTruncation(t Truncation, left *Left) error {
	data := t.encode()
	if len(data) > mostTruncation {
		return fmt.Errorf("%w: %d bytes of records to keep behind a cut of %s", ErrTooLarge, len(t.Content), b.stream)
	}
	var writing sync.WaitGroup
	var failure error
	if _, sealed := SealerOf(b.fs); left.Data != nil && !sealed {
		left.written = true
		writing.Go(func() { failure = b.wrap("rewrite", t.Cut, b.writeAnew(t.Cut, left.Data)) })
	}
	err := ReplaceFile(b.fs, filepath.Join(b.Dir(), TruncationFile), data)
	writing.Wait()
	return errors.Join(err, failure)
}

// ReadTruncation reads what is to become of the blocks, nil when nothing is. One that is damaged is
// ErrCorrupt: nobody knows what of it was done. Other errors are of the file system.
func (b *Blocks) ReadTruncation() (*Truncation, error) {
	name := filepath.Join(b.Dir(), TruncationFile)
	data, err := readFile(b.fs, name, mostTruncation, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	t, ok := decodeTruncation(data)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, name)
	}
	return &t, nil
}

// RemoveTruncation forgets it, durably: all of it is done. What a crash has left of writing one goes, too.
func (b *Blocks) RemoveTruncation() error {
	return b.RemoveDerived(TruncationFile, TruncationFile+UnfinishedSuffix)
}

// ForgetTruncation is RemoveTruncation that is durable with the next change of the names in the directory. If a loss of
// power comes before that, what is done already is carried out once more, which changes nothing: until then no message
// was stored but into the new block, or one behind it, and no block was made, removed or written anew.
func (b *Blocks) ForgetTruncation() error {
	_, err := b.unlinkNamed([]string{TruncationFile})
	return err
}

// CutEnd returns where a block is to be cut so that nothing of sequences above last is left: no message, no skip,
// no damage that is known to have held one, and no record that one was removed, which the next message of that
// sequence must not find. (Such a record can come before all others, where the block that had the message is gone.)
// It is the length of the data when nothing is to be cut. visit, unless it is nil, is called for each record.
func CutEnd(path string, id uint32, key *RecordCodec, data []byte, last uint64, visit func(Record)) int64 {
	limit := int64(len(data))
	end := int64(0) // of the last record before the limit, as far as that is known
	look := func(offset int64, r Record) {
		if visit != nil {
			visit(r)
		}
		first, floor := r.Floor()
		if !floor && r.Kind != KindGroupMark && r.Sequence > last || floor && first > last+1 {
			limit = min(limit, offset)
		}
		if to := offset + int64(r.Size); r.Kind != KindGroupMark && to <= limit {
			end = max(end, to)
		}
	}
	scan := ScanBlock(path, id, key, data, false, look)
	known := limit
	for _, d := range scan.Damage {
		if max(d.Sequence, d.Last) > last {
			limit = min(limit, d.Offset)
		}
	}
	if limit < known {
		end, visit = 0, nil
		ScanBlock(path, id, key, data, false, look)
	}
	if limit == int64(len(data)) {
		return limit
	}
	return end
}

// RemovalsBlock returns the bytes of a block with these records: a floor, if it is above 0, tombstones, and a
// skip that uses up a sequence, if that is above 0.
func RemovalsBlock(key *RecordCodec, floor uint64, tombstones []Tombstone, skip uint64, time int64) []byte {
	w := frameWriter{key: key}
	if floor > 0 {
		w.add(key.AppendFloor(nil, floor))
	}
	var record []byte
	for _, t := range tombstones {
		record = key.AppendTombstone(record[:0], t.Sequence, t.Time)
		w.add(record)
	}
	if skip > 0 {
		w.add(key.AppendSkip(nil, skip, time))
	}
	return w.finish()
}
