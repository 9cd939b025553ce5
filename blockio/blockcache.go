package blockio

import (
	"sync"
	"sync/atomic"
)

// A BlockCache keeps the blocks that were used last open, of all the streams of a
// process. Each is opened once, however many ask for it at a time. It is bounded in
// number and in the memory that descriptions of blocks take. It is safe for concurrent
// use.
type BlockCache struct {
	most     int   // blocks
	mostHeap int64 // bytes
	open     atomic.Int64

	mu      sync.Mutex
	entries map[blockKey]*cacheEntry
	ring    []*Block // those of the entries that are ready; the clock hand goes round it
	hand    int
	heap    int64      // bytes on the heap for descriptions of the blocks in the ring, and for lists of chunks
	old     []*oldFile // of all sources, the one that was replaced first in front

	chunks *chunkCache // of compressed blocks
}

// chunkCacheBytes bounds the decoded chunks of compressed blocks that are kept, in bytes.
const chunkCacheBytes = 32 << 20

// blockKey names a block of one of the streams.
type blockKey struct {
	source *BlockSource
	ref    BlockRef
}

// A cacheEntry is a block in the cache's map, from before it is opened.
type cacheEntry struct {
	key   blockKey
	ready chan struct{} // closed when block and err are set
	block *Block
	err   error
}

// NewBlockCache returns a cache that keeps at most so many blocks open, and at most
// mostHeap bytes of memory for what Block.Description makes of them, and for where
// the chunks of compressed ones are. Blocks in use are
// not closed, and one block is kept whatever the bounds are.
func NewBlockCache(most int, mostHeap int64) *BlockCache {
	return &BlockCache{
		most: most, mostHeap: mostHeap, entries: make(map[blockKey]*cacheEntry), chunks: newChunkCache(chunkCacheBytes),
	}
}

// Source returns the blocks of the stream in dir, which is the directory that holds the
// stream's meta.inf. It touches nothing. Two sources have no block in common, also when
// they are of one directory.
func (c *BlockCache) Source(fsys FS, dir, stream string) *BlockSource {
	return &BlockSource{cache: c, fs: fsys, dir: dir, stream: stream}
}

// Open returns the number of files of blocks that are open now, in use or not.
func (c *BlockCache) Open() int { return int(c.open.Load()) }

// Kept returns how many blocks are kept, and how many bytes they take on the heap: their descriptions, and lists of
// chunks.
func (c *BlockCache) Kept() (blocks int, heap int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ring), c.heap
}

// Decoded returns how many bytes of decoded chunks of compressed blocks are kept, and how many may be.
func (c *BlockCache) Decoded() (bytes, most int64) {
	c.chunks.mu.Lock()
	defer c.chunks.mu.Unlock()
	return c.chunks.bytes, c.chunks.most
}

// lease returns the block from the cache, or opens it.
func (c *BlockCache) lease(key blockKey, o LeaseOptions) (*Block, error) {
	for {
		c.mu.Lock()
		if err := key.source.checkCurrent(key.ref); err != nil {
			c.mu.Unlock()
			return nil, err
		}
		e := c.entries[key]
		if key.source.isReplaced(key.ref) && (e == nil || o.Whole && !o.Keep) {
			b, err := key.source.oldBlock(key.ref)
			c.mu.Unlock()
			return b, err
		}
		if e == nil && o.Keep && !key.source.closed {
			// The entry is in the map before the block is opened, so that others wait for
			// this one instead of opening the file as well.
			e = &cacheEntry{key: key, ready: make(chan struct{})}
			c.entries[key] = e
			c.mu.Unlock()
			if b, err := c.fill(e, o); err != errReplaced {
				return b, err
			}
			continue
		}
		c.mu.Unlock()
		if e == nil || !o.Keep && !e.isReady() {
			// Who passes over a block once does not wait for one whose opening takes long.
			if b, err := c.openApart(key, o); err != errReplaced {
				return b, err
			}
			continue
		}
		<-e.ready
		switch {
		case e.err == errReplaced:
		case e.err != nil:
			return nil, e.err
		case !o.Keep && o.Whole && !e.block.whole:
			if b, err := c.openApart(key, o); err != errReplaced {
				return b, err
			}
		case e.block.Retain():
			return e.block, nil
		}
		// It was forgotten, or its file replaced, after it was found.
	}
}

// isReady reports whether the block is open, or could not be opened.
func (e *cacheEntry) isReady() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// openApart opens a block that the cache does not keep.
func (c *BlockCache) openApart(key blockKey, o LeaseOptions) (*Block, error) {
	b, err := openBlock(key, o)
	if err != nil {
		return nil, err
	}
	b.refs.Store(1)
	b.gone.Store(true)
	c.mu.Lock()
	err = key.source.checkOpened(key.ref)
	c.mu.Unlock()
	if err != nil {
		b.Release() // it may be what the file has become since
		return nil, err
	}
	return b, nil
}

// fill opens the block of an entry that is in the map, for the caller and all who wait.
func (c *BlockCache) fill(e *cacheEntry, o LeaseOptions) (*Block, error) {
	settled := false
	defer func() {
		if !settled { // openBlock panicked
			e.err = ErrPanic
			c.mu.Lock()
			c.remove(e)
			close(e.ready)
			c.mu.Unlock()
		}
	}()
	b, err := openBlock(e.key, o)
	var out []*Block
	c.mu.Lock()
	if err == nil {
		b.refs.Store(1) // the caller's
		if err = e.key.source.checkOpened(e.key.ref); err != nil {
			out = append(out, b) // it may be what the file has become since
		}
	}
	switch {
	case err != nil:
		e.err = err
		c.remove(e)
	case c.entries[e.key] == e:
		e.block = b
		b.refs.Add(1) // the cache's
		b.used.Store(true)
		b.kept = true
		b.heap = heapOf(b.file)
		c.heap += b.heap
		c.ring = append(c.ring, b)
		out = c.evict()
	default: // it was forgotten meanwhile, so only the caller gets it
		e.block = b
		b.gone.Store(true)
	}
	// Under the lock, so that every block in the ring is ready for whoever forgets it.
	close(e.ready)
	settled = true
	c.mu.Unlock()
	releaseAll(out)
	return e.block, e.err
}

// remove takes an entry out of the map, if it is still the one of its block. The caller
// holds c.mu.
func (c *BlockCache) remove(e *cacheEntry) {
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
}

// evict takes blocks out of the cache until its bounds hold. In the first two rounds it
// passes over those that are in use and those that were used since it came by last. The
// caller holds c.mu, and releases the blocks without it.
func (c *BlockCache) evict() (out []*Block) {
	patience := 2 * len(c.ring)
	for looks := 0; len(c.ring) > 1 && (len(c.ring) > c.most || c.heap > c.mostHeap); looks++ {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		b := c.ring[c.hand]
		// Swap first: a block that is in use now must not pass for used next time.
		if used, busy := b.used.Swap(false), b.refs.Load() > 1; looks < patience && (used || busy) {
			c.hand++
			continue
		}
		out = append(out, c.take(b))
	}
	return out
}

// take takes a block out of the cache. Who leased it goes on using it. The caller holds
// c.mu, and releases the block without it.
func (c *BlockCache) take(b *Block) *Block {
	delete(c.entries, b.key)
	for i, other := range c.ring {
		if other == b {
			c.ring = append(c.ring[:i], c.ring[i+1:]...)
			break
		}
	}
	c.heap -= b.heap
	b.kept = false
	b.gone.Store(true)
	return b
}

// drop takes a block out of the cache, if it is still there.
func (c *BlockCache) drop(b *Block) {
	c.mu.Lock()
	kept := b.kept
	if kept {
		c.take(b)
	}
	c.mu.Unlock()
	if kept {
		b.Release()
	}
}

// forget takes out the blocks whose keys match. Those that are being opened are not kept
// when they are.
func (c *BlockCache) forget(match func(blockKey) bool) {
	c.mu.Lock()
	out := c.takeOut(match)
	c.mu.Unlock()
	releaseAll(out)
}

// takeOut is forget for one who holds mu, and releases the blocks.
func (c *BlockCache) takeOut(match func(blockKey) bool) (out []*Block) {
	for key, e := range c.entries {
		if !match(key) {
			continue
		}
		if e.block != nil {
			out = append(out, c.take(e.block))
		} else {
			delete(c.entries, key)
		}
	}
	return out
}

// grow counts the memory of a block's description while the cache keeps the block.
func (c *BlockCache) grow(b *Block, heap int64) {
	var out []*Block
	c.mu.Lock()
	if b.kept {
		b.heap += heap
		c.heap += heap
		out = c.evict()
	}
	c.mu.Unlock()
	releaseAll(out)
}

func releaseAll(blocks []*Block) {
	for _, b := range blocks {
		b.Release()
	}
}
