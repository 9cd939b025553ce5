package actors

import (
	"container/list"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// readIndex says where the records of a block are, for readers of blocks that
// are no longer in memory. It is made by scanning the file once.
type readIndex struct {
	key       *blockio.BlockKey
	first     uint64
	offsets   []uint32 // by sequence, from first on, if sequences is nil
	sequences []uint64 // ascending, beside offsets, for blocks with gaps
	last      uint64   // highest sequence of any record, skips and tombstones too
	damaged   bool     // the file has damaged records
}

// find returns the offset of a record.
func (x *readIndex) find(sequence uint64) (int64, bool) {
	i := x.search(sequence)
	if i < len(x.offsets) && x.sequence(i) == sequence {
		return int64(x.offsets[i]), true
	}
	return 0, false
}

func (x *readIndex) sequence(i int) uint64 {
	if x.sequences != nil {
		return x.sequences[i]
	}
	return x.first + uint64(i)
}

// search returns the index of the first record at or after sequence.
func (x *readIndex) search(sequence uint64) int {
	if x.sequences == nil {
		if sequence <= x.first {
			return 0
		}
		return int(min(sequence-x.first, uint64(len(x.offsets))))
	}
	low, high := 0, len(x.sequences)
	for low < high {
		if middle := int(uint(low+high) >> 1); x.sequences[middle] < sequence {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// covers reports whether the index knows of sequences this high.
func (x *readIndex) covers(sequence uint64) bool {
	n := len(x.offsets)
	return n > 0 && x.sequence(n-1) >= sequence
}

func (x *readIndex) bytes() int64 {
	return int64(4*cap(x.offsets) + 8*cap(x.sequences) + 256)
}

func (x *readIndex) add(sequence uint64, offset int64) {
	n := len(x.offsets)
	switch {
	case n == 0:
		x.first = sequence
	case x.sequences == nil && sequence != x.first+uint64(n):
		x.sequences = make([]uint64, n, 2*n)
		for i := range x.sequences {
			x.sequences[i] = x.first + uint64(i)
		}
	}
	x.offsets = append(x.offsets, uint32(offset))
	if x.sequences != nil {
		x.sequences = append(x.sequences, sequence)
	}
}

// buildIndex scans the bytes of a block.
func buildIndex(path string, id uint32, key *blockio.BlockKey, data []byte) *readIndex {
	x := &readIndex{key: key}
	found := blockio.ScanBlock(path, id, key, data, false, func(offset int64, r blockio.Record) {
		x.last = max(x.last, r.Sequence)
		if r.Kind == blockio.KindMessage {
			x.add(r.Sequence, offset)
		}
	})
	x.damaged = found.DamageCount > 0
	return x
}

// indexKey names a block of an open stream.
type indexKey struct {
	stream *stream
	block  uint32
}

// indexCache holds the indexes used last, bounded in bytes.
type indexCache struct {
	mu    sync.Mutex
	most  int64
	bytes int64
	byKey map[indexKey]*list.Element
	order *list.List // most recently used first; of *cachedIndex
}

type cachedIndex struct {
	key   indexKey
	index *readIndex
}

func newIndexCache(most int64) *indexCache {
	return &indexCache{most: most, byKey: make(map[indexKey]*list.Element), order: list.New()}
}

func (c *indexCache) get(key indexKey) *readIndex {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedIndex).index
}

func (c *indexCache) put(key indexKey, index *readIndex) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
	c.byKey[key] = c.order.PushFront(&cachedIndex{key, index})
	c.bytes += index.bytes()
	for c.bytes > c.most && c.order.Len() > 1 {
		c.remove(c.order.Back())
	}
}

func (c *indexCache) remove(e *list.Element) {
	if e == nil {
		return
	}
	cached := c.order.Remove(e).(*cachedIndex)
	delete(c.byKey, cached.key)
	c.bytes -= cached.index.bytes()
}

func (c *indexCache) forget(key indexKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
}

// forgetStream drops all indexes of a stream.
func (c *indexCache) forgetStream(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.byKey {
		if key.stream == s {
			c.remove(e)
		}
	}
}
