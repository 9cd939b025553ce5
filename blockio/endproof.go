package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

// EndProofFile is the name of the file, beside the blocks, in which a stream that was stopped cleanly says
// where its log ends.
const EndProofFile = "millrace.end"

// An EndProof says where the log of a stream ended when it was stopped cleanly. Without it nobody could
// tell a last block that was cut at the end of a record from one that ended there. It is derived: it is
// removed, durably, before the log changes, and one that is missing or damaged proves nothing.
type EndProof struct {
	Block    uint32 // number of the last block
	Size     int64  // of its file, in bytes
	Sequence uint64 // last sequence of the stream
	// First is the first sequence of the stream, or the first lost one if that is lower; 0 where it is not
	// known, as versions that came before did not write it.
	First uint64
}

const (
	endProofMagic = "MRENDPRF"
	endProofSize  = 40 // of version 1
	endProofSize2 = 48
)

// Layout of the file (all integers little-endian):
//
//	0   8 bytes  the magic
//	8   u32      version: 2, or 1 without the first sequence
//	12  u32      block
//	16  i64      size
//	24  u64      sequence
//	32  u64      first sequence; not in version 1
//	    u32      zeros
//	    u32      CRC-32C of all before
func (p EndProof) encode() []byte {
	data := make([]byte, 0, endProofSize2)
	data = append(data, endProofMagic...)
	if p.First > 0 {
		data = binary.LittleEndian.AppendUint32(data, 2)
	} else {
		data = binary.LittleEndian.AppendUint32(data, 1)
	}
	data = binary.LittleEndian.AppendUint32(data, p.Block)
	data = binary.LittleEndian.AppendUint64(data, uint64(p.Size))
	data = binary.LittleEndian.AppendUint64(data, p.Sequence)
	if p.First > 0 {
		data = binary.LittleEndian.AppendUint64(data, p.First)
	}
	data = binary.LittleEndian.AppendUint32(data, 0)
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

// WriteEndProof writes the proof of the blocks' end, durably.
func (b *Blocks) WriteEndProof(p EndProof) error {
	return ReplaceFile(b.fs, filepath.Join(b.Dir(), EndProofFile), p.encode())
}

// ReadEndProof reads the proof of the blocks' end. It is false when there is none that proves anything. The
// error is of the file system.
func (b *Blocks) ReadEndProof() (EndProof, bool, error) {
	name := filepath.Join(b.Dir(), EndProofFile)
	data, err := readFile(b.fs, name, endProofSize2, nil)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
		return EndProof{}, false, nil
	}
	if err != nil {
		return EndProof{}, false, fmt.Errorf("read %s: %w", name, err)
	}
	p, ok := decodeEndProof(data)
	return p, ok, nil
}

func decodeEndProof(data []byte) (p EndProof, ok bool) {
	end := len(data) - 8
	if len(data) != endProofSize && len(data) != endProofSize2 || string(data[:8]) != endProofMagic ||
		binary.LittleEndian.Uint32(data[end+4:]) != crc32.Checksum(data[:end+4], castagnoli) ||
		binary.LittleEndian.Uint32(data[end:]) != 0 {
		return p, false
	}
	p = EndProof{
		Block: binary.LittleEndian.Uint32(data[12:]), Size: int64(binary.LittleEndian.Uint64(data[16:])),
		Sequence: binary.LittleEndian.Uint64(data[24:]),
	}
	version := uint32(1)
	if len(data) == endProofSize2 {
		version, p.First = 2, binary.LittleEndian.Uint64(data[32:])
		ok = p.First > 0 && p.First <= p.Sequence+1
	} else {
		ok = true
	}
	return p, ok && binary.LittleEndian.Uint32(data[8:]) == version && p.Block > 0 && p.Size >= 0 && p.Sequence <= MaxSequence
}
