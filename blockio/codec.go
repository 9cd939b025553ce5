package blockio

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"sync/atomic"

	"github.com/minio/highwayhash"
)

// scratchSize bounds what is copied onto the stack so that the hashed bytes,
// which are not contiguous in a record, become so. Above it the copy costs more
// than hashing in two steps does.
const scratchSize = 256

// A RecordCodec encodes and decodes the records of one block. The key is
// public (it is the name of the stream and the number of the block): it finds
// damage, and records that were moved between blocks; it keeps nobody out.
//
// A RecordCodec is safe for concurrent use.
type RecordCodec struct {
	key [sha256.Size]byte
	// seed is keyed and empty, and copied for each use. It is made for the first large record: it takes twenty times the
	// room of the key, and a process may have thousands of streams that are small, or idle.
	seed atomic.Pointer[highwayhash.Digest64]
}

// NewRecordCodec returns the codec of a block of a stream.
func NewRecordCodec(stream string, block uint32) *RecordCodec {
	return newKey(stream + "-" + strconv.FormatUint(uint64(block), 10))
}

func newKey(name string) *RecordCodec {
	return &RecordCodec{key: sha256.Sum256([]byte(name))}
}

// digest returns a keyed and empty digest.
func (c *RecordCodec) digest() highwayhash.Digest64 {
	seed := c.seed.Load()
	if seed == nil {
		var err error
		if seed, err = highwayhash.NewDigest64(c.key[:]); err != nil {
			panic(err) // a 32 byte key cannot fail
		}
		c.seed.Store(seed)
	}
	return *seed
}

// nameSum is the checksum of whole files (meta.sum), keyed by a name.
func nameSum(name string, data []byte) uint64 {
	key := sha256.Sum256([]byte(name))
	return highwayhash.Sum64(data, key[:])
}

// sum hashes a record that lies in read-only memory: sequence and time, then
// the subject, then the rest without the header's length field.
func (c *RecordCodec) sum(record []byte, subjectLength int, header bool) uint64 {
	end := len(record) - checksumSize
	if end <= scratchSize {
		var scratch [scratchSize]byte
		n := copy(scratch[:16], record[4:20])
		if header {
			n += copy(scratch[n:], record[headSize:headSize+subjectLength])
			n += copy(scratch[n:], record[headSize+subjectLength+4:end])
		} else {
			n += copy(scratch[n:], record[headSize:end])
		}
		return highwayhash.Sum64(scratch[:n], c.key[:])
	}
	digest := c.digest()
	_, _ = digest.Write(record[4:20]) // a digest's Write cannot fail
	if header {
		_, _ = digest.Write(record[headSize : headSize+subjectLength])
		_, _ = digest.Write(record[headSize+subjectLength+4 : end])
	} else {
		_, _ = digest.Write(record[headSize:end])
	}
	return digest.Sum64()
}

// sealInPlace hashes bytes that the caller laid out contiguously.
func (c *RecordCodec) sealInPlace(hashed []byte) uint64 {
	return highwayhash.Sum64(hashed, c.key[:])
}

func storedSum(record []byte) uint64 {
	return binary.LittleEndian.Uint64(record[len(record)-checksumSize:])
}
