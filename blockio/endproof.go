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
}

const (
	endProofMagic = "MRENDPRF"
	endProofSize  = 40
)

// Layout of the file (all integers little-endian):
//
//	0   8 bytes  the magic
//	8   u32      version, 1
//	12  u32      block
//	16  i64      size
//	24  u64      sequence
//	32  u32      zeros
//	36  u32      CRC-32C of all before
func (p EndProof) encode() []byte {
	data := make([]byte, endProofSize)
	copy(data, endProofMagic)
	binary.LittleEndian.PutUint32(data[8:], 1)
	binary.LittleEndian.PutUint32(data[12:], p.Block)
	binary.LittleEndian.PutUint64(data[16:], uint64(p.Size))
	binary.LittleEndian.PutUint64(data[24:], p.Sequence)
	binary.LittleEndian.PutUint32(data[36:], crc32.Checksum(data[:36], castagnoli))
	return data
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteEndProof writes the proof of the blocks' end, durably.
func (b *Blocks) WriteEndProof(p EndProof) error {
	return ReplaceFile(b.fs, filepath.Join(b.Dir(), EndProofFile), p.encode())
}

// ReadEndProof reads the proof of the blocks' end. It is false when there is none that proves anything. The
// error is of the file system.
func (b *Blocks) ReadEndProof() (EndProof, bool, error) {
	name := filepath.Join(b.Dir(), EndProofFile)
	data, err := readFile(b.fs, name, endProofSize, nil)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
		return EndProof{}, false, nil
	}
	if err != nil {
		return EndProof{}, false, fmt.Errorf("blockio: read %s: %w", name, err)
	}
	p, ok := decodeEndProof(data)
	return p, ok, nil
}

func decodeEndProof(data []byte) (EndProof, bool) {
	if len(data) != endProofSize || string(data[:8]) != endProofMagic ||
		binary.LittleEndian.Uint32(data[36:]) != crc32.Checksum(data[:36], castagnoli) ||
		binary.LittleEndian.Uint32(data[8:]) != 1 || binary.LittleEndian.Uint32(data[32:]) != 0 {
		return EndProof{}, false
	}
	p := EndProof{
		Block: binary.LittleEndian.Uint32(data[12:]), Size: int64(binary.LittleEndian.Uint64(data[16:])),
		Sequence: binary.LittleEndian.Uint64(data[24:]),
	}
	return p, p.Block > 0 && p.Size >= 0 && p.Sequence <= MaxSequence
}
