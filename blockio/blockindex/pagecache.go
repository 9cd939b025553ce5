package blockindex

import (
	"sync"
	"sync/atomic"
)

// DefaultPageBytes is how much the indexes that were opened without a PageCache of
// their own keep in copies of pages, all together.
const DefaultPageBytes = 32 << 20

var defaultPages = NewPageCache(DefaultPageBytes)

// A PageCache keeps copies of the pages of any number of indexes, and bounds what they
// take. A page is copied and then verified when it is first used, and it is the copy
// that is read from then on: what happens to the file afterwards is not seen. When the
// cache is full, a page that was not used lately makes room; the next use of that one
// copies and verifies it again.
//
// It is safe for any number of goroutines at once. Finding a page takes no lock.
type PageCache struct {
	most int // pages

	mu    sync.Mutex
	slots []pageSlot
	free  []uint32 // slots without a page
	hand  int      // where the search for a page that can go continues
}

// A pageSlot is the place of one copy in the cache; without a set it is free.
type pageSlot struct {
	set    *pageSet
	number uint32
}

// NewPageCache returns a cache of so many bytes. With less than a page it keeps
// nothing, and each use of a page copies and verifies it.
func NewPageCache(bytes int64) *PageCache {
	return &PageCache{most: int(min(max(bytes, 0)/PageSize, 1<<31))}
}

// Bytes is how much the copies take that the cache keeps now.
func (c *PageCache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.slots)-len(c.free)) * PageSize
}

// A pageSet is the pages of one index that are in memory. It does not refer to the
// index, so that a cache keeps none alive. Reading it takes no lock; it is written
// under the lock of its cache.
type pageSet struct {
	cache *PageCache // nil when the pages are read where they are
	pages []atomic.Pointer[[PageSize]byte]
	used  []atomic.Uint64 // a bit for each page that was used since the hand passed it
	slot  []uint32        // where a page is in the cache, when pages has it
}

func newPageSet(cache *PageCache, pages uint32) *pageSet {
	s := &pageSet{cache: cache, pages: make([]atomic.Pointer[[PageSize]byte], pages), used: make([]atomic.Uint64, (pages+63)/64)}
	if cache != nil {
		s.slot = make([]uint32, pages)
	}
	return s
}

// keep makes p the page with a number, unless another goroutine came first. It returns
// the one that stays.
func (s *pageSet) keep(number uint32, p *[PageSize]byte) *[PageSize]byte {
	c := s.cache
	if c == nil {
		s.pages[number].Store(p)
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := s.pages[number].Load(); other != nil {
		return other
	}
	at, ok := c.room()
	if !ok {
		return p
	}
	c.slots[at], s.slot[number] = pageSlot{s, number}, at
	s.pages[number].Store(p)
	return p
}

// drop takes all pages of the set out of its cache.
func (s *pageSet) drop() {
	c := s.cache
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := range s.pages {
		if s.pages[number].Load() != nil {
			s.pages[number].Store(nil)
			c.slots[s.slot[number]] = pageSlot{}
			c.free = append(c.free, s.slot[number])
		}
	}
}

// room returns a slot without a page. It passes over pages that were used since it last
// came by, once each: readers that use all of them all the time do not hold it up.
func (c *PageCache) room() (at uint32, ok bool) {
	if n := len(c.free); n > 0 {
		at, c.free = c.free[n-1], c.free[:n-1]
		return at, true
	}
	if len(c.slots) < c.most {
		c.slots = append(c.slots, pageSlot{})
		return uint32(len(c.slots) - 1), true
	}
	for range c.slots {
		if !c.slots[c.hand].usedAgain() {
			break
		}
		c.hand = (c.hand + 1) % len(c.slots)
	}
	if len(c.slots) == 0 {
		return 0, false
	}
	at = uint32(c.hand)
	c.hand = (c.hand + 1) % len(c.slots)
	old := c.slots[at]
	old.set.pages[old.number].Store(nil) // who holds the page may go on using it
	return at, true
}

// usedAgain reports whether the page of a slot was used since it was last asked.
func (s pageSlot) usedAgain() bool {
	word, bit := &s.set.used[s.number>>6], uint64(1)<<(s.number&63)
	if word.Load()&bit == 0 {
		return false
	}
	word.And(^bit)
	return true
}
