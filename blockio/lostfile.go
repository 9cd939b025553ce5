package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
)

// LostFile is the name of the file, beside the blocks, that says which sequences were lost through damage
// and have been told of. It keeps what was told told when what showed the loss is gone: the index of a
// block is written anew from what is left of it, and the proof of the end goes with the first change.
const LostFile = "millrace.lost"

// A LostRange is sequences, first to last, whose messages were lost, and the block that had them.
type LostRange struct {
	Block       uint32
	First, Last uint64
	Bytes       uint64 // how much was lost with them; 0 where that is not known
}

// MostLostRanges bounds the ranges in a file of lost sequences. Later ones are left out.
const MostLostRanges = 1 << 20

const (
	lostMagic      = "MRLOSTSQ"
	lostHeaderSize = 16
	lostRangeSize  = 28
	lostRangeSize1 = 20 // of version 1
)

// Layout of the file (all integers little-endian):
//
//	0   8 bytes  the magic
//	8   u32      version: 2, or 1 when no bytes are known
//	12  u32      number of ranges
//	16  ranges, each: block u32, first u64, last u64, bytes u64; ascending, disjoint; version 1 has no bytes
//	    u32      CRC-32C of all before
func encodeLost(ranges []LostRange) []byte {
	ranges = ranges[:min(len(ranges), MostLostRanges)]
	version := uint32(1)
	if slices.ContainsFunc(ranges, func(r LostRange) bool { return r.Bytes > 0 }) {
		version = 2
	}
	data := make([]byte, 0, lostHeaderSize+len(ranges)*lostRangeSize+4)
	data = append(data, lostMagic...)
	data = binary.LittleEndian.AppendUint32(data, version)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(ranges)))
	for _, r := range ranges {
		data = binary.LittleEndian.AppendUint32(data, r.Block)
		data = binary.LittleEndian.AppendUint64(data, r.First)
		data = binary.LittleEndian.AppendUint64(data, r.Last)
		if version > 1 {
			data = binary.LittleEndian.AppendUint64(data, min(r.Bytes, maxLostBytes))
		}
	}
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

func decodeLost(data []byte) ([]LostRange, bool) {
	if len(data) < lostHeaderSize+4 || string(data[:8]) != lostMagic {
		return nil, false
	}
	size := 0
	switch binary.LittleEndian.Uint32(data[8:]) {
	case 1:
		size = lostRangeSize1
	case 2:
		size = lostRangeSize
	default:
		return nil, false
	}
	n := binary.LittleEndian.Uint32(data[12:])
	if n > MostLostRanges || len(data) != lostHeaderSize+int(n)*size+4 ||
		binary.LittleEndian.Uint32(data[len(data)-4:]) != crc32.Checksum(data[:len(data)-4], castagnoli) {
		return nil, false
	}
	ranges := make([]LostRange, n)
	before, bytes := uint64(0), false
	for i := range ranges {
		at := data[lostHeaderSize+i*size:]
		r := LostRange{Block: binary.LittleEndian.Uint32(at), First: binary.LittleEndian.Uint64(at[4:]), Last: binary.LittleEndian.Uint64(at[12:])}
		if size == lostRangeSize {
			r.Bytes = binary.LittleEndian.Uint64(at[20:])
		}
		if r.First <= before || r.Last < r.First || r.Last > MaxSequence || r.Bytes > maxLostBytes {
			return nil, false
		}
		ranges[i], before, bytes = r, r.Last, bytes || r.Bytes > 0
	}
	return ranges, bytes == (size == lostRangeSize)
}

// maxLostBytes bounds the bytes of a range, so that their sum is a number, too.
const maxLostBytes = 1 << 40

// WriteLost writes which sequences were lost, durably. Without any, it removes the file.
func (b *Blocks) WriteLost(ranges []LostRange) error {
	if len(ranges) == 0 {
		return b.RemoveDerived(LostFile)
	}
	return ReplaceFile(b.fs, filepath.Join(b.Dir(), LostFile), encodeLost(ranges))
}

// ReadLost reads which sequences were lost. A file that is missing or damaged tells of none. The error is
// of the file system.
func (b *Blocks) ReadLost() ([]LostRange, error) {
	name := filepath.Join(b.Dir(), LostFile)
	data, err := readFile(b.fs, name, lostHeaderSize+MostLostRanges*lostRangeSize+4, nil)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	ranges, _ := decodeLost(data)
	return ranges, nil
}
