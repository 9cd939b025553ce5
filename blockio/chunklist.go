package blockio

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// The last chunk of a block that Compress has made lists the others, so that they need not be looked at one by one when
// the file is opened:
//
//	lengths  2 bytes for each chunk of data: what its own length says
//	plain    4 bytes: how many bytes of the plain block each has, but for the last one
//	count    4 bytes: of the chunks
//	crc      4 bytes: CRC-32C of all that before
//	"MCHL"
//
// All that read S2 streams skip it. Where it does not agree with the file, it is as if it were not there.
const (
	chunkList     = 0x98 // the highest type of a chunk that is free for applications
	chunkListEnd  = "MCHL"
	chunkListFoot = 4 + 4 + 4 + len(chunkListEnd)

	// leastListed is from how many chunks on there is a list.
	leastListed = 4
	// listWindow is how much of the end of a file is read to find the list, in bytes: that of a block of 8 MiB is in it.
	listWindow = 4 << 10
)

// appendChunkList appends the list of chunks of so much of the plain block each.
func appendChunkList(out []byte, lengths []uint16, plain int) []byte {
	size := 2*len(lengths) + chunkListFoot
	out = append(out, chunkList, byte(size), byte(size>>8), byte(size>>16))
	at := len(out)
	for _, length := range lengths {
		out = binary.LittleEndian.AppendUint16(out, length)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(plain))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(lengths)))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[at:], castagnoli))
	return append(out, chunkListEnd...)
}

// readChunkList takes the chunks of an S2 stream that begins at an offset from the list of them, and reports whether it
// is there and agrees with the file, as far as that is known without them, and with the length that the plain block is
// said to have.
func (c *compressedFile) readChunkList(at, declared int64) (ok bool, err error) {
	if c.stat.Size < at+int64(chunkHead+chunkListFoot)+checksumSize || declared > MaxBlockFile {
		return false, nil
	}
	window := make([]byte, min(listWindow, c.stat.Size-at))
	if ok, err = c.readEnd(window); !ok {
		return false, err
	}
	foot := window[len(window)-checksumSize-chunkListFoot:][:chunkListFoot]
	size, count := int64(binary.LittleEndian.Uint32(foot)), int64(binary.LittleEndian.Uint32(foot[4:]))
	if string(foot[12:]) != chunkListEnd || count < leastListed || count > mostChunks || size <= 0 || size > mostChunk {
		return false, nil
	}
	whole := chunkHead + 2*count + int64(chunkListFoot) + checksumSize
	if whole > c.stat.Size-at {
		return false, nil
	}
	if whole > int64(len(window)) {
		window = make([]byte, whole)
		if ok, err = c.readEnd(window); !ok {
			return false, err
		}
	}
	list := window[int64(len(window))-whole : len(window)-checksumSize]
	summed := list[chunkHead : len(list)-4-len(chunkListEnd)]
	if list[0] != chunkList || crc32.Checksum(summed, castagnoli) != binary.LittleEndian.Uint32(list[len(list)-8:]) {
		return false, nil
	}
	last := declared - checksumSize - (count-1)*size
	if last <= 0 || last > size {
		return false, nil
	}
	chunks := make([]chunk, 0, count+1)
	at += int64(len(s2StreamStart))
	for i := range count {
		k := chunk{kind: chunkData, at: at, length: chunkHead + int64(binary.LittleEndian.Uint16(list[chunkHead+2*i:])), size: size}
		if i == count-1 {
			k.size = last
		}
		if k.length <= chunkHead+chunkSum {
			return false, nil
		}
		at += k.length
		chunks = append(chunks, k)
	}
	if at != c.stat.Size-whole {
		return false, nil
	}
	c.chunks = append(chunks, chunk{kind: chunkStored, at: c.stat.Size - checksumSize, length: checksumSize, size: checksumSize})
	return true, nil
}

// readEnd reads the last bytes of the file, if it has as many, and they can be read.
func (c *compressedFile) readEnd(into []byte) (ok bool, err error) {
	n, err := c.file.ReadAt(into, c.stat.Size-int64(len(into)))
	switch {
	case n == len(into):
		return true, nil
	case errors.Is(err, io.EOF) || Unreadable(err) != nil || IsReadFailure(err):
		return false, nil // the chunks themselves show
	}
	return false, err
}
