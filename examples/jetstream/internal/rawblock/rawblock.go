// Package rawblock writes message blocks of the JetStream file format by hand. It shares no
// code with Millrace, so that the tests of this module judge both sides from outside.
package rawblock

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"

	"github.com/minio/highwayhash"
)

const (
	// RecordOverhead is the size of a record with neither subject, header nor payload.
	RecordOverhead = 30

	headerBit    = uint32(1) << 31
	erasedBit    = uint64(1) << 63
	tombstoneBit = uint64(1) << 62
)

// Block is the content of one block file in the making.
type Block struct {
	stream string
	index  int
	digest hash.Hash64
	data   []byte
	// lengths is the CRC of the lengths of all records in frames.
	lengths hash.Hash32
}

// New returns an empty block with the given index of the given stream.
func New(stream string, index int) *Block {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, index))
	return &Block{stream: stream, index: index, digest: mustDigest(key[:]), lengths: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
}

// Message appends a message record.
func (b *Block) Message(sequence uint64, nanos int64, subject string, header, payload []byte) {
	b.record(sequence, nanos, subject, header, payload)
}

// Tombstone appends the record that says message target is deleted.
func (b *Block) Tombstone(target uint64, nanos int64) {
	b.record(target|tombstoneBit, nanos, "", nil, nil)
}

// Skip appends the record that says sequence is used and has no message.
func (b *Block) Skip(sequence uint64, nanos int64) {
	b.record(sequence|erasedBit, nanos, "", nil, nil)
}

// FrameMark appends the mark that Millrace writes before a commit: a tombstone of sequence 0 whose time
// field holds how many bytes of records follow, and a CRC-32C of the lengths of these records, which goes on
// from that of the mark before.
func (b *Block) FrameMark(records []byte) {
	for at := 0; at < len(records); {
		flagged := binary.LittleEndian.Uint32(records[at:])
		b.lengths.Write(records[at : at+4])
		b.lengths.Write(records[at+20 : at+22])
		if flagged&headerBit != 0 {
			header := at + 22 + int(binary.LittleEndian.Uint16(records[at+20:]))
			b.lengths.Write(records[header : header+4])
		}
		at += int(flagged &^ headerBit)
	}
	b.AnyFrameMark(len(records), b.lengths.Sum32())
}

// AnyFrameMark is FrameMark for records that there are not.
func (b *Block) AnyFrameMark(sizeBytes int, crc uint32) {
	b.Tombstone(0, math.MinInt64|int64(sizeBytes)<<32|int64(crc))
}

// Mark appends the mark of earlier versions: a tombstone of sequence 0 whose time field holds how many
// records and bytes the group that follows has.
func (b *Block) Mark(records, sizeBytes int) {
	b.MarkTarget(0, records, sizeBytes)
}

// MarkTarget is Mark with another target than 0, for trying out variants.
func (b *Block) MarkTarget(target uint64, records, sizeBytes int) {
	b.Tombstone(target, int64(records)<<32|int64(sizeBytes))
}

// Append appends bytes as they are, for torn tails.
func (b *Block) Append(raw []byte) {
	b.data = append(b.data, raw...)
}

// Bytes is what was appended so far. It is valid until the next append.
func (b *Block) Bytes() []byte {
	return b.data
}

// Len is the number of bytes appended so far.
func (b *Block) Len() int {
	return len(b.data)
}

// WriteTo writes the block file into the msgs folder of streamDir.
func (b *Block) WriteTo(streamDir string) error {
	dir := filepath.Join(streamDir, "msgs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.blk", b.index)), b.data, 0o600)
}

func (b *Block) record(sequence uint64, nanos int64, subject string, header, payload []byte) {
	length := uint32(RecordOverhead + len(subject) + len(payload))
	if len(header) > 0 {
		length += uint32(4 + len(header))
	}
	flagged := length
	if len(header) > 0 {
		flagged |= headerBit
	}
	start := len(b.data)
	b.data = binary.LittleEndian.AppendUint32(b.data, flagged)
	b.data = binary.LittleEndian.AppendUint64(b.data, sequence)
	b.data = binary.LittleEndian.AppendUint64(b.data, uint64(nanos))
	b.data = binary.LittleEndian.AppendUint16(b.data, uint16(len(subject)))
	b.data = append(b.data, subject...)
	if len(header) > 0 {
		b.data = binary.LittleEndian.AppendUint32(b.data, uint32(len(header)))
		b.data = append(b.data, header...)
	}
	b.data = append(b.data, payload...)

	b.digest.Reset()
	b.digest.Write(b.data[start+4 : start+20])
	b.digest.Write([]byte(subject))
	b.digest.Write(header)
	b.digest.Write(payload)
	b.data = b.digest.Sum(b.data)
}

// WriteMeta writes meta.inf with the given JSON, and meta.sum.
func WriteMeta(streamDir, stream string, config []byte) error {
	if err := os.MkdirAll(streamDir, 0o700); err != nil {
		return err
	}
	key := sha256.Sum256([]byte(stream))
	digest := mustDigest(key[:])
	digest.Write(config)
	sum := fmt.Appendf(nil, "%x", digest.Sum(nil))
	if err := os.WriteFile(filepath.Join(streamDir, "meta.inf"), config, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(streamDir, "meta.sum"), sum, 0o600)
}

// mustDigest cannot fail: the key always has the one length that is allowed.
func mustDigest(key []byte) hash.Hash64 {
	digest, err := highwayhash.New64(key)
	if err != nil {
		panic(err)
	}
	return digest
}
