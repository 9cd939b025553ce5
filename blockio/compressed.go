package blockio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// The file of a compressed block begins with
//
//	"cmp"      where others have the length of their first record
//	algorithm  one byte: 0 none, 1 S2
//	size       uvarint: of the plain block
//
// and then has the plain block without its last 8 bytes, as an S2 framed stream, or as it is; the last 8 bytes of
// both are the same: the checksum of the last record.
const (
	compressedPrefix = "cmp"
	algorithmNone    = 0
	algorithmS2      = 1

	// leastCompressed is how long a file is at least for its prefix to mean anything, in bytes.
	leastCompressed = 5
)

// LooksCompressed reports whether a block whose first record has that length field
// would be taken for a compressed block: its first bytes on disk are then the prefix
// of one. A writer puts some other record first.
func LooksCompressed(length uint32) bool {
	const p = compressedPrefix
	return length&0xffffff == uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16
}

// CompressedChunk is how many bytes of a plain block Compress puts into one chunk: what is read of it is decoded by
// whole chunks. (A nats-server writes chunks of 1 MiB.)
const CompressedChunk = 8 << 10

// Compress returns the bytes of the file that has a plain block compressed. plain is at least one record.
func Compress(plain []byte) []byte {
	body, last := plain[:len(plain)-checksumSize], plain[len(plain)-checksumSize:]
	out := append(make([]byte, 0, len(plain)/2+64), compressedPrefix...)
	out = binary.AppendUvarint(append(out, algorithmS2), uint64(len(plain)))
	out = append(out, s2StreamStart...)
	scratch := make([]byte, s2.MaxEncodedLen(CompressedChunk))
	var lengths []uint16
	for len(body) > 0 {
		n, length := min(len(body), CompressedChunk), uint16(0)
		out, length = appendChunk(out, body[:n], scratch)
		lengths, body = append(lengths, length), body[n:]
	}
	if len(lengths) >= leastListed && len(lengths) <= mostChunks {
		out = appendChunkList(out, lengths, CompressedChunk)
	}
	return append(out, last...)
}

// compressedAlgorithm returns the algorithm of a compressed file and where its data begins, from the first bytes of
// it. ok is false for any other file.
func compressedAlgorithm(head []byte) (algorithm byte, size uint64, data int, ok bool) {
	if len(head) < leastCompressed || string(head[:len(compressedPrefix)]) != compressedPrefix {
		return 0, 0, 0, false
	}
	size, n := binary.Uvarint(head[4:])
	if start := bytes.Index(head[5:], []byte(s2StreamStart)); start >= 0 {
		return algorithmS2, size, 5 + start, true // also when the size or the algorithm is damaged
	}
	if n <= 0 {
		size, n = 0, 1 // the damage is found in what follows
	}
	return head[3], size, 4 + n, true
}

// headSizeCompressed is how much of a file is looked at to see whether it is compressed, in bytes.
const headSizeCompressed = 4 + binary.MaxVarintLen64 + len(s2StreamStart)

// plainFile returns a file that reads as the plain block of a file of that stat, which is closed with it; the file itself when it
// is not compressed, and with an error. Where its first bytes cannot be read, the block is taken for what it is nearly always.
func plainFile(file File, path string, stat FileStat, block *Block) (plain File, compressed bool, err error) {
	if stat.Size < leastCompressed {
		return file, false, nil
	}
	head := make([]byte, min(stat.Size, int64(headSizeCompressed)))
	if _, err := readAround(file, path, head, 0); err != nil && !errors.Is(err, io.EOF) {
		if Unreadable(err) != nil {
			return file, false, nil
		}
		return file, false, err
	}
	algorithm, size, at, ok := compressedAlgorithm(head)
	if !ok {
		return file, false, nil
	}
	c := &compressedFile{file: file, path: path, stat: stat}
	if block != nil {
		c.source, c.id = block.key.source, block.key.ref.ID
		c.cache, c.retired = c.source.cache.chunks, c.source.retiredOf(c.id)
	}
	switch algorithm {
	case algorithmNone:
		c.chunks = []chunk{{kind: chunkStored, at: int64(at), length: stat.Size - int64(at), size: stat.Size - int64(at)}}
	case algorithmS2:
		listed, err := c.readChunkList(int64(at), int64(size))
		if err == nil && !listed {
			err = c.findChunks(int64(at), int64(size))
		}
		if err != nil {
			return file, true, err
		}
	default:
		return file, true, fmt.Errorf("%w: %s: algorithm %d", ErrCompressed, path, algorithm)
	}
	c.settle()
	return c, true, nil
}
