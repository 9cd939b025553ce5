package blockio

import (
	"container/list"
	"sync"
)

// A chunkCache keeps the decoded chunks of compressed blocks that were used last, of all the streams of a process. It
// is safe for concurrent use; a nil one keeps nothing.
type chunkCache struct {
	most int64 // bytes

	mu     sync.Mutex
	bytes  int64
	recent *list.List // of *decodedChunk, the one used last in front
	found  map[chunkKey]*list.Element
}

type chunkKey struct {
	file  *compressedFile
	index int
}

type decodedChunk struct {
	key  chunkKey
	data []byte
}

func newChunkCache(most int64) *chunkCache {
	return &chunkCache{most: most, recent: list.New(), found: make(map[chunkKey]*list.Element)}
}

// heapOf returns how much memory the list of the chunks of a file takes, 0 when it is not compressed.
func heapOf(file File) int64 {
	if c, ok := file.(*compressedFile); ok {
		return int64(cap(c.chunks)) * chunkHeap
	}
	return 0
}

// get returns a chunk, or nil.
func (c *chunkCache) get(file *compressedFile, index int) []byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.found[chunkKey{file, index}]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*decodedChunk).data
}

// put keeps a chunk. One that is longer than all that is to be kept is not.
func (c *chunkCache) put(file *compressedFile, index int, data []byte) {
	if c == nil || int64(len(data)) > c.most {
		return
	}
	key := chunkKey{file, index}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found[key] != nil {
		return // somebody else has decoded it, too
	}
	c.found[key] = c.recent.PushFront(&decodedChunk{key, data})
	file.kept++
	c.bytes += int64(len(data))
	for c.bytes > c.most {
		c.drop(c.recent.Back())
	}
}

// drop removes an element. The caller holds mu.
func (c *chunkCache) drop(e *list.Element) {
	d := c.recent.Remove(e).(*decodedChunk)
	delete(c.found, d.key)
	d.key.file.kept--
	c.bytes -= int64(len(d.data))
}

// forget drops the chunks of a file that is closed: mostly there are few, or none.
func (c *chunkCache) forget(file *compressedFile) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; file.kept > 0 && i < len(file.chunks); i++ {
		if e := c.found[chunkKey{file, i}]; e != nil {
			c.drop(e)
		}
	}
}
