package blockindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Sentinels. Every error of this package wraps one of these, or is one of the file
// system below.
var (
	// ErrDamaged: the bytes are not those of an index that was written whole. It
	// wraps blockio.ErrCorrupt.
	ErrDamaged = fmt.Errorf("%w: block index", blockio.ErrCorrupt)

	// ErrStale: the index is whole, but of another block, of another state of the
	// block, or of another version.
	ErrStale = errors.New("blockindex: stale")

	// ErrRange: an ordinal or a rank that the index does not have.
	ErrRange = errors.New("blockindex: out of range")

	// ErrLimit: what a Builder was given is no block that an index can describe.
	ErrLimit = errors.New("blockindex: beyond what an index describes")

	// ErrUnsealed: the block has bytes behind its records, and so is not sealed.
	ErrUnsealed = errors.New("blockindex: block is not sealed")
)

const (
	// PageSize is the unit of the file, in bytes.
	PageSize = 4096

	// Version is the version of the format.
	Version = 1

	// EmptySubject stands for the rank of the empty subject.
	EmptySubject = 1<<32 - 1

	// NoTime stands for "no time": the last time of a block without messages. It is
	// what Go's zero time.Time yields as nanoseconds.
	NoTime int64 = -6795364578871345152

	magic = "MRBLKIDX"
)

// Layout of the start of a page (all integers little-endian):
//
//	0  u32  CRC-32C of bytes 4 to 4095, begun with the page's seed
//	4  u8   kind
//	5  u8   version
//	6  u16  entries in the page
const (
	pageHead    = 8
	payloadSize = PageSize - pageHead
)

// Kinds of page. Those from kindRecords on are the sections, in this order.
const (
	kindHeader = iota + 1
	kindRecords
	kindRuns
	kindDictionary
	kindDirectory
	kindOverflow
	kindPostings
	kindTombstones
	kindLost
	kinds

	sections = kinds - kindRecords
)

var kindNames = [kinds]string{"", "header", "records", "runs", "dictionary", "directory", "overflow", "postings", "tombstones", "lost"}

// Sizes of entries, and how many are in a page.
const (
	recordSize    = 24
	runSize       = 16
	postingSize   = 4
	tombstoneSize = 16
	lostSize      = 8

	recordsPerPage    = payloadSize / recordSize
	runsPerPage       = payloadSize / runSize
	postingsPerPage   = payloadSize / postingSize
	tombstonesPerPage = payloadSize / tombstoneSize
	lostPerPage       = payloadSize / lostSize
)

// Layout of a dictionary page:
//
//	8   u32  rank of the first subject
//	12  u32  where the postings of the last subject end
//	16  u16  length of the common prefix
//	18  u16  zero
//	20       entries, then the common prefix, then what the entries point to
//
// Layout of an entry:
//
//	0   u32  where its postings start
//	4   u32  its first ordinal
//	8   u32  its last ordinal
//	12  u32  size of the record of its last ordinal
//	16  u16  offset in the page of what follows the common prefix
//	18  u16  length of that; bit 15: 8 bytes follow it, see dictwrite.go
const (
	dictHead      = 20
	dictEntry     = 20
	dictPerPage   = (PageSize - dictHead) / dictEntry
	longFlag      = 1 << 15
	longReference = 8
	// headLimit is how much of a subject is in a dictionary page. The rest of
	// longer ones is in the overflow section.
	headLimit = 1024
)

// Layout of a directory page:
//
//	8   u32  number of the dictionary page that the first entry is of
//	12  u32  zero
//	16       entries: u32 rank of the first subject, u16 offset, u16 length of the
//	         separator; then the separators
const (
	dirHead    = 16
	dirEntry   = 8
	dirPerPage = (PageSize - dirHead) / dirEntry
)

const recordMin, recordMax = blockio.EmptyRecordSize, blockio.MaxRecordSize

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// salt makes the checksums of one index those of no other.
func (id *Identity) salt() uint32 {
	var b [28]byte
	binary.LittleEndian.PutUint32(b[:], id.Block)
	binary.LittleEndian.PutUint64(b[4:], uint64(id.Size))
	binary.LittleEndian.PutUint64(b[12:], uint64(id.ModTime))
	binary.LittleEndian.PutUint64(b[20:], id.LastChecksum)
	return crc32.Checksum(b[:], castagnoli)
}

// seedStep is odd, so that no two pages of a file have the same seed; and with
// another seed the same bytes never have the same checksum.
const seedStep = 0x9E3779B1

func pageSum(salt, number uint32, page []byte) uint32 {
	return crc32.Update(salt+number*seedStep, castagnoli, page[4:PageSize])
}

// pagesFor is how many pages hold n entries.
func pagesFor(n, perPage uint64) uint64 { return (n + perPage - 1) / perPage }

func u16(b []byte) uint32 { return uint32(binary.LittleEndian.Uint16(b)) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func put16(b []byte, v uint32) { binary.LittleEndian.PutUint16(b, uint16(v)) }
func put32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }
func put64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

func crcOf(record []byte) uint32 { return crc32.Checksum(record, castagnoli) }
