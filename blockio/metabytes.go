package blockio

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"path/filepath"

	"github.com/minio/highwayhash"
)

// MaxMetaSize is the largest meta.inf, in bytes, that is read.
const MaxMetaSize = maxMetaSize

// Bytes returns what WriteMeta would write into meta.inf.
func (m *StreamMeta) Bytes() ([]byte, error) {
	data, err := m.encode()
	if err != nil {
		return nil, fmt.Errorf("encode meta of %s: %w", m.Name, err)
	}
	return data, nil
}

// ParseMeta reads the bytes of a meta.inf. The error wraps ErrCorrupt.
func ParseMeta(data []byte) (*StreamMeta, error) {
	m, err := parseMeta(bytes.Clone(data)) // of which the meta is made
	if err != nil {
		return nil, fmt.Errorf("%w: no stream meta: %w", ErrCorrupt, err)
	}
	return m, nil
}

// BlockNumber returns the number of the block that a file of this name is, without its directory. It is false
// for any other name.
func BlockNumber(name string) (id uint32, ok bool) { return blockID(name) }

// ConsumersDir returns the directory in which nats-server keeps the consumers of a stream, each in one of its own.
func ConsumersDir(dir string) string { return filepath.Join(dir, "obs") }

// ReadFile returns the content of a file of at most limit bytes; a larger one is ErrTooLarge.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	return readFile(fsys, name, limit, nil)
}

// NameSum adds up the checksum, keyed by a name, that ends a file such as StateFile. Its Sum64 has the order of
// the bytes that is stored, read as a little-endian number.
func NameSum(name string) hash.Hash64 {
	key := sha256.Sum256([]byte(name))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes cannot fail
	}
	return h
}

// StoredSum reads the checksum at the end of such a file.
func StoredSum(end [checksumSize]byte) uint64 { return binary.LittleEndian.Uint64(end[:]) }
