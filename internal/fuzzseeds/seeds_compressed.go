package main

import (
	"bytes"
	"encoding/binary"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// compressedBlocks are files of compressed blocks: the prefix, the algorithm, the size of the plain block, a stream of
// chunks, and 8 bytes.
func compressedBlocks() []seed {
	var plain []byte
	for sequence := range uint64(40) {
		plain = append(plain, message(sequence+1, "")...)
	}
	file := blockio.Compress(plain)
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data, uint16(70)}}) }
	add("whole", file)
	add("cut-within-a-chunk", file[:len(file)-20])
	add("nothing-but-the-prefix", file[:5])
	add("of-no-algorithm", append([]byte("cmp\x00\xc6\x01"), plain...))
	add("of-an-unknown-algorithm", []byte("cmp\x09\x05hello"))
	add("size-highest", append(binary.AppendUvarint([]byte("cmp\x01"), 1<<63), file[6:]...))
	chunk := bytes.Index(file, []byte("S2sTwO")) + 6
	add("chunk-of-another-kind", with(file, func(b []byte) { b[chunk] = 0x42 }))
	add("chunk-longer-than-the-file", with(file, func(b []byte) { b[chunk+3] = 0xff }))
	add("checksum-of-a-chunk-flipped", with(file, func(b []byte) { b[chunk+4] ^= 1 }))
	listed := blockio.Compress(bytes.Repeat(plain, 5*blockio.CompressedChunk/len(plain)+1))
	add("with-a-list-of-chunks", listed)
	add("list-of-chunks-flipped", with(listed, func(b []byte) { b[len(b)-20] ^= 1 }))
	add("plain-part-of-a-chunk-in-the-list-flipped", with(listed, func(b []byte) { b[len(b)-23] ^= 1 }))
	return list
}
