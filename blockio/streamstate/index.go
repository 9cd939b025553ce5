package streamstate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/minio/highwayhash"
)

// Version is the version of index.db that is written. All versions from 1 on are read.
const Version = 4

const (
	indexMagic = 11
	sumSize    = 8
	// leastIndex is how many bytes a nats-server expects at least.
	leastIndex = 32
)

// NoTime is the time of no message.
const NoTime = 0

// Head is the state of a stream as a whole. Times are nanoseconds since the epoch.
type Head struct {
	Messages, Bytes uint64
	First, Last     uint64 // sequences; First is Last+1, or both are 0, when there is no message
	FirstTime       int64  // NoTime when there is no message
	LastTime        int64  // NoTime when there never was one
}

// An Index is what index.db says of a stream.
type Index struct {
	Head
	Subjects []Subject // in any order
	Blocks   []Block   // in order of their numbers; the last one is the one that takes records
	// LastBlock is the number of the block that took records, and LastSum the checksum of its last record: zeros
	// when there is none.
	LastBlock uint32
	LastSum   [sumSize]byte
}

// Subject is what a stream has of one subject.
type Subject struct {
	Name     string
	Messages uint64
	// First and Last are numbers of blocks, outside of which there are no messages of the subject.
	First, Last uint32
}

// Block is a block of messages.
type Block struct {
	ID    uint32
	Bytes uint64 // of the live messages
	// First and Last are the sequences that it spans. A block without messages has a Last below its First.
	First, Last         uint64
	FirstTime, LastTime int64
	// Deleted are the sequences between First and Last of which there is no message, nil for none.
	Deleted *Set
	// TTLs and Schedules are how many messages have a TTL or are schedules. A server does not look for them in a
	// block in which there are none.
	TTLs, Schedules uint64
}

// Messages returns how many messages of the block are live.
func (b *Block) Messages() uint64 {
	if b.Last < b.First || b.Last-b.First >= 1<<63 {
		return 0
	}
	span := b.Last - b.First + 1
	return span - min(span, b.Deleted.Len())
}

// Live reports whether the message of a sequence, if the block has its record, is not deleted.
func (b *Block) Live(sequence uint64) bool {
	return b.First <= sequence && sequence <= b.Last && !b.Deleted.Contains(sequence)
}

// Check returns an error that wraps ErrInvalid if a nats-server would not believe the index since it contradicts
// itself: the blocks add up to something else than the head, or are not in order, or the last one is not the last.
func (x *Index) Check() error {
	n := len(x.Blocks)
	if n == 0 || x.Blocks[n-1].ID != x.LastBlock {
		return x.contradiction("the last block is not %d", x.LastBlock)
	}
	var sum Head
	for i := range x.Blocks {
		b := &x.Blocks[i]
		if i > 0 && b.ID <= x.Blocks[i-1].ID {
			return x.contradiction("block %d follows block %d", b.ID, x.Blocks[i-1].ID)
		}
		if b.Messages() == 0 && i < n-1 {
			continue
		}
		if sum.First == 0 || b.First < sum.First && b.FirstTime != NoTime {
			sum.First = b.First
		}
		sum.Last = max(sum.Last, b.Last)
		sum.Messages += b.Messages()
		sum.Bytes += b.Bytes
	}
	switch {
	case sum.Messages != x.Messages:
		return x.contradiction("%d messages in all, and %d in the blocks", x.Messages, sum.Messages)
	case sum.Bytes != x.Bytes:
		return x.contradiction("%d bytes in all, and %d in the blocks", x.Bytes, sum.Bytes)
	case sum.Last != x.Last:
		return x.contradiction("the last sequence is %d, and %d in the blocks", x.Last, sum.Last)
	case sum.First > 1 && sum.First != x.First:
		return x.contradiction("the first sequence is %d, and %d in the blocks", x.First, sum.First)
	}
	return nil
}

func (x *Index) contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %s contradicts itself: %s", ErrInvalid, indexName, fmt.Sprintf(format, args...))
}

// fileSum is the checksum that ends index.db. Its key is the name of the stream.
func fileSum(stream string, body []byte) uint64 {
	key := sha256.Sum256([]byte(stream))
	return highwayhash.Sum64(body, key[:])
}

// Append appends index.db, of the newest version, for a stream that is not encrypted.
func (x *Index) Append(dst []byte, stream string) []byte {
	start := len(dst)
	return AppendSum(x.AppendBody(dst), stream, start)
}

// AppendSum appends the checksum of index.db, whose body begins at start: that of an encrypted stream is a nonce and
// what was encrypted with it.
func AppendSum(dst []byte, stream string, start int) []byte {
	return binary.LittleEndian.AppendUint64(dst, fileSum(stream, dst[start:]))
}

// AppendBody appends index.db without the checksum.
func (x *Index) AppendBody(dst []byte) []byte {
	dst = x.AppendHead(dst, len(x.Subjects))
	for i := range x.Subjects {
		s := &x.Subjects[i]
		dst = AppendSubject(dst, s.Name, s.Messages, s.First, s.Last)
	}
	return x.AppendBlocks(dst)
}

// AppendHead appends the first part of a body, behind which come the subjects, so many of them, and then what
// AppendBlocks appends.
func (x *Index) AppendHead(dst []byte, subjects int) []byte {
	uv, sv := binary.AppendUvarint, binary.AppendVarint
	dst = append(dst, indexMagic, Version)
	dst = sv(uv(uv(uv(dst, x.Messages), x.Bytes), x.First), x.FirstTime)
	dst = sv(uv(dst, x.Last), x.LastTime)
	return uv(dst, uint64(subjects))
}

// AppendSubject appends a subject of a body.
func AppendSubject[T string | []byte](dst []byte, name T, messages uint64, first, last uint32) []byte {
	uv := binary.AppendUvarint
	dst = append(uv(dst, uint64(len(name))), name...)
	return uv(uv(uv(dst, messages), uint64(first)), uint64(last))
}

// AppendBlocks appends the last part of a body.
func (x *Index) AppendBlocks(dst []byte) []byte {
	uv, sv := binary.AppendUvarint, binary.AppendVarint
	dst = uv(dst, uint64(len(x.Blocks)))
	for i := range x.Blocks {
		b := &x.Blocks[i]
		dst = sv(uv(uv(uv(dst, uint64(b.ID)), b.Bytes), b.First), b.FirstTime-x.FirstTime)
		dst = sv(uv(dst, b.Last), b.LastTime-x.FirstTime)
		dst = uv(uv(uv(dst, b.Deleted.Len()), b.TTLs), b.Schedules)
		if b.Deleted.Len() > 0 {
			dst = b.Deleted.Append(dst)
		}
	}
	return append(uv(dst, uint64(x.LastBlock)), x.LastSum[:]...)
}
