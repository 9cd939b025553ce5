package read

import "sync"

// cacheKey names a block of an open stream.
type cacheKey struct {
	source *Source
	block  uint32
}

// cache holds the readers that were used last, bounded in number and in bytes
// on the heap. Each is made once, however many ask for it at a time.
type cache struct {
	mu    sync.Mutex
	byKey map[cacheKey]*cached
	ring  []*cached // in the order they came, from hand on
	hand  int
	heap  int64
	// The bounds.
	most     int
	mostHeap int64
}

type cached struct {
	key    cacheKey
	ready  chan struct{} // closed when reader and err are set
	reader *blockReader
	err    error
}

func newCache(most int, mostHeap int64) *cache {
	return &cache{byKey: make(map[cacheKey]*cached), most: most, mostHeap: mostHeap}
}

// acquire returns the reader of a block, opened now or before. The caller releases
// it.
func (c *cache) acquire(key cacheKey, open func() (*blockReader, error)) (*blockReader, error) {
	for {
		c.mu.Lock()
		e := c.byKey[key]
		if e == nil {
			e = &cached{key: key, ready: make(chan struct{})}
			c.byKey[key] = e
			c.mu.Unlock()
			return c.fill(e, open)
		}
		c.mu.Unlock()
		<-e.ready
		if e.err != nil {
			return nil, e.err
		}
		if e.reader.tryAcquire() {
			return e.reader, nil
		}
		// It was dropped after it was found.
	}
}

// fill opens the reader of an entry that is in the map.
func (c *cache) fill(e *cached, open func() (*blockReader, error)) (*blockReader, error) {
	e.err = ErrPanic // unless open returns
	told := false
	defer func() {
		if e.reader == nil {
			c.abandon(e)
		}
		if !told {
			close(e.ready)
		}
	}()
	e.reader, e.err = open()
	c.mu.Lock()
	// Of a stream that stops nothing is kept: what it had is forgotten once.
	current := c.byKey[e.key] == e && !e.key.source.Stopped.Load()
	var out []*blockReader
	switch {
	case e.err != nil: // abandon follows
	case current:
		e.reader.refs.Store(2)
		e.reader.used.Store(true)
		c.ring = append(c.ring, e)
		c.heap += e.reader.heap
		out = c.evict()
	default: // it was forgotten meanwhile
		if c.byKey[e.key] == e {
			delete(c.byKey, e.key)
		}
		e.reader.refs.Store(1)
		e.reader.gone.Store(true)
	}
	// Before anybody who forgets readers can come in between: what is in the ring is
	// ready.
	close(e.ready)
	told = true
	c.mu.Unlock()
	releaseAll(out)
	return e.reader, e.err
}

// abandon takes out an entry that came to nothing.
func (c *cache) abandon(e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[e.key] == e {
		delete(c.byKey, e.key)
	}
}

// evict takes readers out until the bounds hold: those first that were not used
// since it looked last. c.mu is held.
func (c *cache) evict() (out []*blockReader) {
	for looks := 0; len(c.ring) > 1 && (len(c.ring) > c.most || c.heap > c.mostHeap); looks++ {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		e := c.ring[c.hand]
		if looks < 2*c.most && e.reader.used.Swap(false) {
			c.hand++
			continue
		}
		out = append(out, c.take(e))
	}
	return out
}

// take takes an entry out. c.mu is held.
func (c *cache) take(e *cached) *blockReader {
	delete(c.byKey, e.key)
	for i, other := range c.ring {
		if other == e {
			c.ring = append(c.ring[:i], c.ring[i+1:]...)
			break
		}
	}
	c.heap -= e.reader.heap
	e.reader.gone.Store(true)
	return e.reader
}

func releaseAll(readers []*blockReader) {
	for _, r := range readers {
		r.release()
	}
}

// drop forgets a reader, if it is the current one of its block.
func (c *cache) drop(r *blockReader) {
	c.mu.Lock()
	e := c.byKey[cacheKey{r.source, r.id}]
	found := e != nil && isReady(e) && e.reader == r
	if found {
		c.take(e)
	}
	c.mu.Unlock()
	if found {
		r.release()
	}
}

func isReady(e *cached) bool {
	select {
	case <-e.ready:
		return e.err == nil
	default:
		return false
	}
}

// forget drops the reader of a block whose file has gone, forgetSource those of all
// blocks of a stream. One that is just being opened is not kept.
func (c *cache) forget(key cacheKey) { c.forgetIf(func(k cacheKey) bool { return k == key }) }

func (c *cache) forgetSource(s *Source) {
	c.forgetIf(func(k cacheKey) bool { return k.source == s })
}

func (c *cache) forgetIf(match func(cacheKey) bool) {
	var out []*blockReader
	c.mu.Lock()
	for key, e := range c.byKey {
		switch {
		case !match(key):
		case isReady(e):
			out = append(out, c.take(e))
		default:
			delete(c.byKey, key)
		}
	}
	c.mu.Unlock()
	releaseAll(out)
}
