package disk

import (
	"crypto/sha256"
	"fmt"
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
	data, err := f.readWhole(b.ID, b.Size, b.MarkCRC)
	if err != nil {
		f.Log.Warn("the last block cannot be summed up", "path", f.Blocks.Path(b.ID), "error", err)
		return 0
	}
	sum, err := f.newSum()
	if err != nil {
		return 0 // not with a key of that length
	}
	_, _ = sum.Write(data) // a hash never fails
	return sum.Sum64()
}

// hasSum reports whether the bytes of a block have a sum.
func (f *Files) hasSum(b *streamstate.OwnBlock, want uint64) bool {
	got, err := f.sumOf(b.ID, b.Size)
	if err != nil {
		f.Log.Warn("the last block cannot be summed up", "path", f.Blocks.Path(b.ID), "error", err)
	}
	return err == nil && got == want
}

// sumOf returns the sum of the first bytes of a block.
func (f *Files) sumOf(id uint32, size int64) (uint64, error) {
	sum, err := f.newSum()
	if err != nil {
		return 0, err
	}
	block, err := f.lease(id, false)
	if err != nil {
		return 0, err
	}
	defer block.Release()
	buffer := make([]byte, min(size, summedAtOnce))
	for at := int64(0); at < size; {
		part := buffer[:min(size-at, summedAtOnce)]
		if n, err := block.ReadAt(part, at); n < len(part) {
			return 0, err
		}
		_, _ = sum.Write(part) // a hash never fails
		at += int64(len(part))
	}
	return sum.Sum64(), nil
}

// isWhole reports whether all of a block can be read, and verifies.
func (f *Files) isWhole(id uint32, size int64, markCRC uint32) bool {
	_, err := f.readWhole(id, size, markCRC)
	return err == nil // the scan says why
}

// readWhole returns the bytes of a block. It is an error if not all of it can be read, or it is not as it was written.
func (f *Files) readWhole(id uint32, size int64, markCRC uint32) ([]byte, error) {
	data, err := f.readReadable(id)
	if err != nil {
		return nil, err
	}
	found := blockio.ScanBlock(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, false, func(int64, blockio.Record) {})
	if found.DamageCount > 0 || found.End != size || found.MarkCRC != markCRC || int64(len(data)) != size {
		return nil, fmt.Errorf("%w: the block is not as it was written", blockio.ErrCorrupt)
	}
	return data, nil
}
