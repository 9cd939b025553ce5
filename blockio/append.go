package blockio

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// gatherSize is the buffer in which the pieces of a group become one write.
	gatherSize = 256 << 10

	// gatherPiece is the size from which a piece is written by itself: copying
	// it costs as much as the system call that is saved.
	gatherPiece = 64 << 10
)

// started is what instants are counted from: to read the monotonic clock alone costs half.
var started = time.Now()

var gatherPool = sync.Pool{New: func() any {
	buf := make([]byte, 0, gatherSize)
	return &buf
}}

// Append writes the pieces of data, one after the other, at offset, which must
// be the end of the block as this process knows it; another is ErrOffset, and
// nothing is written. With sync all of the block is durable on return. data is
// the caller's again on return.
func (b *Blocks) Append(id uint32, offset int64, data [][]byte, sync bool) error {
	t, err := b.begin(id, offset)
	if err != nil {
		return b.wrap("append to", id, err)
	}
	end, size, err := b.write(id, t, data, sync)
	b.mu.Lock()
	t.busy = false
	if err == nil {
		t.end, t.size = end, size
		if sync {
			t.synced = t.writes
		}
	} else if t.broken == nil {
		t.broken = err
	}
	b.mu.Unlock()
	return b.wrap("append to", id, err)
}

// begin takes the block for one append.
func (b *Blocks) begin(id uint32, offset int64) (*tail, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tailOf(id)
	if err := usable(t); err != nil {
		return nil, err
	}
	if t.busy {
		return nil, errors.New("another append is under way")
	}
	if offset != t.end {
		return nil, fmt.Errorf("%w: append at %d, the block ends at %d", ErrOffset, offset, t.end)
	}
	t.busy, t.used = true, true
	t.writes++
	return t, nil
}

// write does the I/O of an append and returns the new end and size.
func (b *Blocks) write(id uint32, t *tail, data [][]byte, sync bool) (end, size int64, err error) {
	if t.file == nil {
		if err = b.wake(id, t); err != nil {
			return 0, 0, err
		}
	}
	end = t.end
	for _, piece := range data {
		end += int64(len(piece))
	}
	if sync && end > t.size { // seldom where zeros are written ahead, and not much beside making the file longer
		if _, err = b.checkSize(id, t); err != nil {
			return 0, 0, err
		}
	}
	if t.renew {
		if err = b.renewKey(id); err != nil {
			return 0, 0, err
		}
		t.renew = false
	}
	if err = gather(t.file, t.end, data); err != nil {
		return 0, 0, err
	}
	size = max(t.size, end)
	if !sync {
		return end, size, nil
	}
	if !b.opts.NoZeroAhead {
		if size, err = t.goAhead(end-t.end, end, size, b.opts.BlockSize); err != nil {
			return 0, 0, err
		}
	}
	began := time.Since(started)
	err = b.syncTail(t, t.file)
	b.appendSync += time.Since(started) - began
	return end, size, err
}

// TakeSyncTime returns how long appends have waited for their syncs since it was asked last. The goroutine that appends
// asks.
func (b *Blocks) TakeSyncTime() time.Duration {
	took := b.appendSync
	b.appendSync = 0
	return took
}

// gather writes the pieces at offset with as few writes as makes sense.
func gather(file File, offset int64, data [][]byte) error {
	if len(data) == 1 {
		return writeAt(file, data[0], offset)
	}
	pooled := gatherPool.Get().(*[]byte)
	defer gatherPool.Put(pooled)
	buf := (*pooled)[:0]
	for _, piece := range data {
		if len(buf) > 0 && (len(piece) >= gatherPiece || len(buf)+len(piece) > gatherSize) {
			if err := writeAt(file, buf, offset); err != nil {
				return err
			}
			offset += int64(len(buf))
			buf = buf[:0]
		}
		if len(piece) < gatherPiece {
			buf = append(buf, piece...)
			continue
		}
		if err := writeAt(file, piece, offset); err != nil {
			return err
		}
		offset += int64(len(piece))
	}
	return writeAt(file, buf, offset)
}

func writeAt(file File, data []byte, offset int64) error {
	if len(data) == 0 {
		return nil
	}
	_, err := file.WriteAt(data, offset)
	return err
}
