package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Credits bound the work that is on its way, in operations and in bytes. While there is room, to
// take credit and to give it back costs two atomic additions and a load. Callers that have to wait
// are granted their credit in the order in which they came; nobody overtakes them.
type Credits struct {
	maxOps, maxBytes int64
	// used is the credit that is taken: the number of operations in the bits from opsShift on, their
	// bytes in those below. All callers and the store actor write to it, so both are in one word:
	// each write moves one cache line between processors instead of two.
	used atomic.Int64

	// waiting is the length of the queue of callers from first to last. A caller raises it before it
	// looks for room once more, and whoever gives credit back looks at it afterwards. One of the two
	// therefore finds the room.
	waiting atomic.Int32
	mu      sync.Mutex // guards the queue
	first   *creditWait
	last    *creditWait
	spare   sync.Pool // of *creditWait

	// lingering is how many of the operations that hold credit are long ones, beside which others are answered: see Linger.
	lingering atomic.Int32

	stopped error // what Acquire returns when the store has stopped
}

// creditWait is a caller in the queue.
type creditWait struct {
	bytes   int64
	granted chan struct{} // of capacity 1; receives when the credit is taken for the caller
	next    *creditWait
	queued  bool
}

// opsShift leaves room in a word for 16 million operations and a tebibyte.
const opsShift = 40

// The largest credit there can be. It is a quarter of what the word can hold: callers that look for
// room take credit for a moment that they may have to give back, and must not overflow the word.
const (
	MostOps   = 1 << 22
	MostBytes = 1 << 38
)

// InFlight returns the credit that is taken.
func (c *Credits) InFlight() (ops, bytes int64) {
	used := c.used.Load()
	return used >> opsShift, used & (1<<opsShift - 1)
}

// Sole reports whether one operation holds credit, beside those that linger, and nobody waits for credit.
func (c *Credits) Sole() bool {
	return c.used.Load()>>opsShift == 1+int64(c.lingering.Load()) && c.waiting.Load() == 0
}

// Linger says how many of the operations that hold credit go on for long, while others come and are answered: Sole does
// not count them. It may be late, since all that depends on Sole is who does something, not whether it is done.
func (c *Credits) Linger(operations int) {
	if n := int32(operations); c.lingering.Load() != n {
		c.lingering.Store(n)
	}
}

// Force takes credit for one operation of no bytes that must go even when there is no room.
func (c *Credits) Force() { c.used.Add(1 << opsShift) }

// NewCredits returns credit for so many operations of so many bytes together. stopped is what
// Acquire returns once the store has stopped.
func NewCredits(ops int, bytes int64, stopped error) *Credits {
	return &Credits{maxOps: int64(ops), maxBytes: bytes, stopped: stopped}
}

// TryAcquire takes credit for one operation of so many bytes, if there is room and nobody waits for
// room. An operation that is larger than all credit may go when nothing else is on its way.
func (c *Credits) TryAcquire(bytes int64) bool {
	if c.waiting.Load() > 0 {
		return false
	}
	if c.take(bytes) {
		return true
	}
	if c.waiting.Load() > 0 {
		// A caller began to wait after the look above. It may have found no room only because take
		// had just taken the credit that it could not keep, so it looks again.
		c.grant()
	}
	return false
}

// take takes credit if there is room.
func (c *Credits) take(bytes int64) bool {
	used := c.used.Add(1<<opsShift | bytes)
	ops, all := used>>opsShift, used&(1<<opsShift-1)
	if ops <= c.maxOps && (all <= c.maxBytes || all == bytes) {
		return true
	}
	c.used.Add(-(1<<opsShift | bytes))
	return false
}

// Acquire waits for credit until the context ends or stopped is closed. The error of a context that
// has ended wraps its cause, and says that nothing was changed.
func (c *Credits) Acquire(ctx context.Context, bytes int64, stopped <-chan struct{}) error {
	if c.TryAcquire(bytes) {
		return nil
	}
	w, ok := c.spare.Get().(*creditWait)
	if !ok {
		w = &creditWait{granted: make(chan struct{}, 1)}
	}
	w.bytes = bytes
	c.enqueue(w)
	var err error
	select {
	case <-w.granted:
		c.spare.Put(w)
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
	case <-stopped:
		err = c.stopped
	}
	if c.leave(w) {
		c.spare.Put(w)
		return err
	}
	// The credit was granted in the same moment. The caller no longer wants it.
	<-w.granted
	c.spare.Put(w)
	c.Release(bytes)
	return err
}

// Release gives back the credit of one operation, and grants it to those who wait.
func (c *Credits) Release(bytes int64) { c.ReleaseMany(1, bytes) }

// ReleaseMany gives back the credit of several operations of so many bytes together.
func (c *Credits) ReleaseMany(ops, bytes int64) {
	c.used.Add(-(ops<<opsShift | bytes))
	if c.waiting.Load() > 0 {
		c.grant()
	}
}

// enqueue puts a caller at the end of the queue.
func (c *Credits) enqueue(w *creditWait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.first = w
	} else {
		c.last.next = w
	}
	c.last, w.queued = w, true
	c.waiting.Add(1)
	c.grantLocked()
}

// leave takes a caller out of the queue. It reports false when the caller has
// been granted its credit.
func (c *Credits) leave(w *creditWait) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !w.queued {
		return false
	}
	var before *creditWait
	for at := &c.first; *at != nil; at = &(*at).next {
		if *at == w {
			*at = w.next
			break
		}
		before = *at
	}
	if c.last == w {
		c.last = before
	}
	w.next, w.queued = nil, false
	c.waiting.Add(-1)
	// It may have been a large operation at the head of the queue, with small ones behind it.
	c.grantLocked()
	return true
}

func (c *Credits) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grantLocked()
}

// grantLocked gives credit to the first in the queue, as long as there is room.
func (c *Credits) grantLocked() {
	for c.first != nil && c.take(c.first.bytes) {
		w := c.first
		if c.first = w.next; c.first == nil {
			c.last = nil
		}
		w.next, w.queued = nil, false
		c.waiting.Add(-1)
		w.granted <- struct{}{}
	}
}
