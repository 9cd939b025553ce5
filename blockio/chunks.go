package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/s2"
)

// The data of a compressed block is chunks, as github.com/google/snappy describes them in framing_format.txt: a byte
// of what it is, three of its length, and that many bytes. Those of data begin with a masked CRC-32C of the plain
// bytes.
const (
	chunkHead = 4
	chunkSum  = 4

	chunkCompressed = 0x00
	chunkPlain      = 0x01
	// Those that have no data. Others that may be skipped are looked at like damage, behind which the next chunk is
	// found all the same: it is what they mostly are.
	chunkIndex   = 0x99
	chunkPadding = 0xfe
	chunkStart   = 0xff // the stream begins

	// chunkData stands for a chunk with data: its head says more.
	chunkData = 0x7d
	// chunkStored stands for the data of a file that is not compressed at all, or is the same in both files.
	chunkStored = 0x7e
	// chunkLost stands for data that is not there.
	chunkLost = 0x7f

	// mostChunk is how much a chunk of an S2 stream has at most, in plain bytes.
	mostChunk = 4 << 20
	// mostChunkSize is how long the head of a chunk's block is, which tells how much it has.
	mostChunkSize = 5
)

// s2StreamStart begins a stream.
const s2StreamStart = "\xff\x06\x00\x00S2sTwO"

// errChunk: a chunk of a compressed block is not what it should be. Its data reads as bytes of no record.
var errChunk = errors.New("damaged chunk of a compressed block")

// appendChunk appends a chunk with data, at most CompressedChunk bytes, and returns what its length says.
func appendChunk(out, data, scratch []byte) ([]byte, uint16) {
	kind, body := byte(chunkCompressed), s2.EncodeBetter(scratch, data)
	if len(body) >= len(data) {
		kind, body = chunkPlain, data
	}
	length := uint32(len(body) + chunkSum)
	out = append(out, kind, byte(length), byte(length>>8), byte(length>>16))
	out = binary.LittleEndian.AppendUint32(out, maskedCRC(data))
	return append(out, body...), uint16(length)
}

func maskedCRC(data []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(data, castagnoli), -15) + 0xa282ead8
}

// A chunk is a stretch of the plain block, and where the file has it.
type chunk struct {
	kind   byte
	at     int64 // in the file
	length int64 // there, with its head
	from   int64 // in the plain block
	size   int64 // there
}

// chunkHeap is how much memory a chunk takes, in bytes.
const chunkHeap = 40

// findChunks lists the chunks of an S2 stream that begins at an offset, up to the last bytes of the file, which are
// those of the plain block. declared is how long that is said to be. Where the list cannot go on it does so at the
// next chunk that is whole. What lies between is lost: as much as was declared and is not found elsewhere.
func (c *compressedFile) findChunks(at, declared int64) error {
	end := max(c.stat.Size-checksumSize, 0)
	lost, gaps := -1, 0 // which of the chunks stands for what is lost
	have := int64(0)
	for n := 0; at < end; n++ {
		next, found, err := c.readChunk(at, end)
		if errors.Is(err, errChunk) || n == mostChunks {
			if last := len(c.chunks) - 1; last >= 0 && last != lost && c.isDamaged(last) {
				// Its length led here, and may have been what is damaged.
				at, have = c.chunks[last].at, have-c.chunks[last].size
				c.chunks = c.chunks[:last]
			}
			if lost < 0 {
				lost = len(c.chunks)
				c.chunks = append(c.chunks, chunk{kind: chunkLost})
			}
			if gaps++; gaps > mostGaps || n == mostChunks {
				break
			}
			if at, err = c.nextWhole(at, end); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if at = next; found.size > 0 {
			if have += found.size; have > MaxBlockFile {
				return fmt.Errorf("%w: %s: more than %d bytes when decoded", ErrTooLarge, c.path, int64(MaxBlockFile))
			}
			c.chunks = append(c.chunks, found)
		}
	}
	last := min(checksumSize, c.stat.Size)
	c.chunks = append(c.chunks, chunk{kind: chunkStored, at: c.stat.Size - last, length: last, size: last})
	missing := declared - have - last
	if missing == 0 || declared > min(MaxBlockFile, c.stat.Size*mostRatio) {
		return nil
	}
	if lost < 0 {
		lost = c.onlyDamaged()
	}
	if lost >= 0 && c.chunks[lost].size+missing > 0 {
		c.chunks[lost] = chunk{kind: chunkLost, size: c.chunks[lost].size + missing}
	}
	return nil
}

// isDamaged reports whether what a chunk has is not what it had.
func (c *compressedFile) isDamaged(i int) bool {
	return errors.Is(c.decode(&c.chunks[i], make([]byte, c.chunks[i].size)), errChunk)
}

// onlyDamaged returns which chunk is damaged if it is a single one, and else -1.
func (c *compressedFile) onlyDamaged() int {
	only := -1
	for i := range c.chunks {
		switch {
		case !c.isDamaged(i):
		case only >= 0:
			return -1
		default:
			only = i
		}
	}
	return only
}

const (
	// mostChunks bounds the chunks of a file. A nats-server's have 1 MiB, ours 8 KiB of the plain block each.
	mostChunks = 1 << 16
	// mostGaps bounds how often the next whole chunk is looked for.
	mostGaps = 16
	// mostRatio bounds how much more than it has on disk a block is taken to have held if some of it is lost.
	mostRatio = 64
	// lookAhead is how far the next whole chunk is looked for, in bytes.
	lookAhead = 8 << 20
)

// nextWhole returns where the first chunk behind an offset is whose checksum is right, or end.
func (c *compressedFile) nextWhole(at, end int64) (int64, error) {
	window := make([]byte, min(end-at, lookAhead))
	if n, err := c.file.ReadAt(window, at); n < len(window) && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var plain []byte
	for i := 1; i+chunkHead+chunkSum < len(window); i++ {
		if window[i] > chunkPlain || window[i+3] > mostChunk>>16 {
			continue
		}
		_, found, err := c.readChunk(at+int64(i), end)
		if err != nil || found.size == 0 {
			continue
		}
		if int64(cap(plain)) < found.size {
			plain = make([]byte, found.size)
		}
		if c.decode(&found, plain[:found.size]) == nil {
			return at + int64(i), nil
		}
	}
	return end, nil
}

// readChunk looks at the chunk at an offset of the file. Its size is 0 when it is not one of data. The error is
// errChunk when there can be no chunk, which ends at end at the latest.
func (c *compressedFile) readChunk(at, end int64) (next int64, found chunk, err error) {
	head := c.head[:]
	n, err := c.file.ReadAt(head[:min(int64(len(head)), end-at)], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, chunk{}, err
	}
	if n < chunkHead {
		return 0, chunk{}, errChunk
	}
	kind, length := head[0], int64(head[1])|int64(head[2])<<8|int64(head[3])<<16
	next = at + chunkHead + length
	if next > end {
		return 0, chunk{}, errChunk
	}
	switch {
	case kind == chunkPadding || kind == chunkIndex || kind == chunkList || kind == chunkStart && length == int64(len(s2StreamStart)-chunkHead):
		return next, chunk{}, nil
	case kind > chunkPlain || length < chunkSum || n < chunkHead+chunkSum:
		return 0, chunk{}, errChunk
	}
	found = chunk{kind: chunkData, at: at, length: chunkHead + length, size: length - chunkSum}
	if kind == chunkCompressed {
		size, err := s2.DecodedLen(head[chunkHead+chunkSum : n])
		if err != nil || size > mostChunk || size <= 0 {
			return 0, chunk{}, errChunk
		}
		found.size = int64(size)
	}
	return next, found, nil
}

// decode fills into, which is as long as the plain data of the chunk.
func (c *compressedFile) decode(k *chunk, into []byte) error {
	switch k.kind {
	case chunkLost:
		return errChunk
	case chunkStored:
		return c.readExactly(into, k.at)
	}
	buffer := bodies.Get().(*[]byte)
	whole := resized(buffer, k.length)
	err := c.readExactly(whole, k.at)
	if err == nil {
		err = decodeChunk(whole, into)
	}
	if k.length <= longestRun { // longer ones are rare
		bodies.Put(buffer)
	}
	return err
}

// decodeChunk fills into from a chunk with data, of which the head is the first thing not to be believed.
func decodeChunk(whole, into []byte) error {
	kind, length := whole[0], int(whole[1])|int(whole[2])<<8|int(whole[3])<<16
	if kind > chunkPlain || length != len(whole)-chunkHead || length < chunkSum {
		return errChunk
	}
	switch body := whole[chunkHead+chunkSum:]; {
	case kind == chunkPlain && len(body) == len(into):
		copy(into, body)
	case kind == chunkPlain:
		return errChunk
	default:
		if size, err := s2.DecodedLen(body); err != nil || size != len(into) {
			return errChunk // to decode it would take as much memory as it says
		}
		if _, err := s2.Decode(into[:0:len(into)], body); err != nil {
			return errChunk
		}
	}
	if maskedCRC(into) != binary.LittleEndian.Uint32(whole[chunkHead:]) {
		return errChunk
	}
	return nil
}

// readExactly reads bytes that the file had when its chunks were listed.
func (c *compressedFile) readExactly(into []byte, at int64) error {
	n, err := c.file.ReadAt(into, at)
	switch {
	case n == len(into):
		return nil
	case errors.Is(err, io.EOF):
		return errChunk
	}
	return err
}
