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

// A pageSlot has one copy. When it is used for the second time it is put into its set
// too, where it is found without a lock from then on. The hand takes it out of there
// when it comes by; where there is none to take out, the page goes. So what is used
// once goes first, and a page in use costs a lock each time that the hand has come
// round.
type pageSlot struct {
	set    *pageSet
	number uint32
	page   *[PageSize]byte
}

// NewPageCache returns a cache of so many bytes. With less than a page it keeps
// nothing, and each use of a page copies and verifies it.
func NewPageCache(bytes int64) *PageCache {
	return &PageCache{most: int(min(max(bytes, 0)/PageSize, 1<<31-2))}
}

// Bytes is how much the copies take that the cache keeps now.
func (c *PageCache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.slots)-len(c.free)) * PageSize
}

// A pageSet is the pages of one index that are found without a lock. It does not refer
// to the index, so that a cache keeps none alive.
type pageSet struct {
	cache *PageCache // nil when the pages are read where they are
	pages []atomic.Pointer[[PageSize]byte]
	slot  []uint32 // one more than where a page is in the cache, which locks it; 0 for not there

	passed []atomic.Uint64 // a bit for each page that a Pass has come to
}

func newPageSet(cache *PageCache, pages uint32) *pageSet {
	s := &pageSet{cache: cache, pages: make([]atomic.Pointer[[PageSize]byte], pages)}
	if cache != nil {
		s.slot = make([]uint32, pages)
		s.passed = make([]atomic.Uint64, pages/64+1)
	}
	return s
}

// passedBefore reports whether a Pass has come to a page before, and notes that one has.
func (s *pageSet) passedBefore(number uint32) bool {
	word, bit := &s.passed[number>>6], uint64(1)<<(number&63)
	return word.Load()&bit != 0 || word.Or(bit)&bit != 0
}

// find returns a page that the cache has, though the set may not. It is nil when the
// cache does not have it.
func (s *pageSet) find(number uint32) *[PageSize]byte {
	if s.cache == nil {
		return nil
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.putBack(number)
}

// putBack is find under the lock of the cache.
func (s *pageSet) putBack(number uint32) *[PageSize]byte {
	if s.slot[number] == 0 {
		return nil
	}
	p := s.cache.slots[s.slot[number]-1].page
	s.pages[number].Store(p)
	return p
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
	if other := s.putBack(number); other != nil {
		return other
	}
	at, ok := c.room()
	if !ok {
		return p
	}
	c.slots[at], s.slot[number] = pageSlot{s, number, p}, at+1
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
	for number, slot := range s.slot {
		if slot != 0 {
			c.clear(slot - 1)
			c.free = append(c.free, slot-1)
			s.slot[number] = 0
		}
	}
}

// clear takes the page out of a slot. Who holds the page may go on using it.
func (c *PageCache) clear(at uint32) {
	old := &c.slots[at]
	old.set.pages[old.number].Store(nil)
	old.set.slot[old.number] = 0
	*old = pageSlot{}
}

// room returns a slot without a page. The hand passes over each page once at most:
// readers that use all of them all the time do not hold it up.
func (c *PageCache) room() (at uint32, ok bool) {
	if n := len(c.free); n > 0 {
		at, c.free = c.free[n-1], c.free[:n-1]
		return at, true
	}
	if len(c.slots) < c.most {
		c.slots = append(c.slots, pageSlot{})
		return uint32(len(c.slots) - 1), true
	}
	if len(c.slots) == 0 {
		return 0, false
	}
	for range c.slots {
		slot := &c.slots[c.hand]
		if slot.set.pages[slot.number].Swap(nil) == nil {
			break
		}
		c.hand = (c.hand + 1) % len(c.slots)
	}
	at = uint32(c.hand)
	c.hand = (c.hand + 1) % len(c.slots)
	c.clear(at)
	return at, true
}
