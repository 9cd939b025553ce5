package disk

import (
	"crypto/sha256"
	"hash"

	"github.com/minio/highwayhash"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// The last block has no index, so an opening that goes on from index.db has to make sure that all of the block is as it
// was written: to verify each record takes as long as all else together. So that is done at the stop, and a
// sum over all bytes of the block is written down, which tells an opening in a tenth of the time that they are still the
// same. Where they are not, or there is no sum, it verifies the records.

const (
	// mostSumming is how many blocks are read at a time for their sums: many streams may be stopped at once. Those
	// beyond go without.
	mostSumming = 8
	// summedAtOnce is how many bytes of a block are read at a time to compare its sum.
	summedAtOnce = 256 << 10
)

// LeastSummed is how many bytes the last block has at least if a sum of them is written down: to verify the records of a
// shorter one takes less time than the rest of an opening. Tests lower it.
var LeastSummed int64 = 64 << 10

var summing = make(chan struct{}, mostSumming)

// WantsSum reports whether the stream is one whose next opening is faster if a stop has written down a sum of the last block.
func WantsSum(c *engine.Capture) bool {
	return len(c.Blocks) > 0 && c.Blocks[len(c.Blocks)-1].Size >= LeastSummed
}

// newSum begins a sum of bytes of the stream.
func (f *Files) newSum() (hash.Hash64, error) {
	key := sha256.Sum256([]byte(f.Blocks.Stream()))
	return highwayhash.New64(key[:])
}

// sumOfLast returns the sum of the bytes of the last block, 0 if it is not to be written down: also when not all of the
// block verifies, which the next opening will find.
func (f *Files) sumOfLast(b *engine.BlockCapture) uint64 {
	select {
	case summing <- struct{}{}:
		defer func() { <-summing }()
	default:
		return 0
	}
	data, whole := f.readWhole(b.ID, b.Size, b.MarkCRC)
	sum, err := f.newSum()
	if !whole || err != nil {
		return 0
	}
	_, _ = sum.Write(data) // a hash never fails
	return sum.Sum64()
}

// hasSum reports whether the bytes of a block have a sum.
func (f *Files) hasSum(b *streamstate.OwnBlock, want uint64) bool {
	sum, err := f.newSum()
	if err != nil {
		return false
	}
	block, err := f.lease(b.ID, false)
	if err != nil {
		return false
	}
	defer block.Release()
	buffer := make([]byte, min(b.Size, summedAtOnce))
	for at := int64(0); at < b.Size; {
		part := buffer[:min(b.Size-at, summedAtOnce)]
		if n, _ := block.ReadAt(part, at); n < len(part) {
			return false
		}
		_, _ = sum.Write(part) // a hash never fails
		at += int64(len(part))
	}
	return sum.Sum64() == want
}

// isWhole reports whether all of a block can be read, and verifies.
func (f *Files) isWhole(id uint32, size int64, markCRC uint32) bool {
	_, whole := f.readWhole(id, size, markCRC)
	return whole
}

// readWhole returns the bytes of a block, if all of it can be read, and verifies.
func (f *Files) readWhole(id uint32, size int64, markCRC uint32) (data []byte, whole bool) {
	data, unreadable, err := f.readAll(id, nil)
	if err != nil || len(unreadable) > 0 {
		return nil, false // the scan says why
	}
	found := blockio.ScanBlock(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, false, func(int64, blockio.Record) {})
	return data, found.DamageCount == 0 && found.End == size && found.MarkCRC == markCRC && int64(len(data)) == size
}
