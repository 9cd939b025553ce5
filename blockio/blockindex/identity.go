package blockindex

import (
	"errors"
	"fmt"
	"io"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Identity says what the file of a block is: an index is of one Identity and is
// stale for every other.
type Identity struct {
	Block   uint32 // number of the block
	Size    int64  // bytes of its file
	ModTime int64  // when the file was changed last, nanoseconds since 1970
	// LastChecksum is the last 8 bytes of the file: of a sealed block the checksum
	// of its last record. A shorter file has zeros before it.
	LastChecksum uint64
}

// String is the identity in one line.
func (id Identity) String() string {
	return fmt.Sprintf("block %d, %d bytes, changed at %d, last checksum %016x", id.Block, id.Size, id.ModTime, id.LastChecksum)
}

// sameButTime reports whether all but the modification times are equal.
func (id Identity) sameButTime(other Identity) bool {
	other.ModTime = id.ModTime
	return id == other
}

// A BlockFile is what IdentityOf needs of a file: a blockio.File and a
// *blockio.Block have it.
type BlockFile interface {
	io.ReaderAt
	Stat() (blockio.FileStat, error)
}

// IdentityOf returns the identity of the open file of a block, with one stat and one
// read of 8 bytes. It is an error of the file system, or blockio.ErrShort when the
// file became shorter meanwhile.
func IdentityOf(file BlockFile, block uint32) (Identity, error) {
	stat, err := file.Stat()
	if err != nil {
		return Identity{}, err
	}
	tail := make([]byte, min(stat.Size, 8))
	if len(tail) > 0 {
		n, err := file.ReadAt(tail, stat.Size-int64(len(tail)))
		if n < len(tail) {
			if err == nil || errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: block %d: %d bytes expected", blockio.ErrShort, block, stat.Size)
			}
			return Identity{}, err
		}
	}
	return identity(block, tail, stat), nil
}

// identity is of a file that ends in tail.
func identity(block uint32, tail []byte, stat blockio.FileStat) Identity {
	var last [8]byte
	copy(last[8-min(len(tail), 8):], tail[max(0, len(tail)-8):])
	return Identity{Block: block, Size: stat.Size, ModTime: stat.ModTime, LastChecksum: u64(last[:])}
}
