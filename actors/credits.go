package actors

import (
	"context"
	"sync"
	"sync/atomic"
)

// credits bound the work that is on its way: operations and their bytes. Taking
// and giving back costs two atomic additions and a load while there is room.
// Those who have to wait do so in order; nobody overtakes them.
type credits struct {
	maxOps, maxBytes int64
	// used is what is taken: operations above opsShift, bytes below. All callers
	// and the store actor touch it; one word is one fight over a cache line.
	used atomic.Int64

	// Invariant: waiting is the length of the queue. It is raised before the
	// first in the queue looks for room, and who gives credit back looks at it
	// afterwards, so that one of the two finds the room.
	waiting atomic.Int32
	mu      sync.Mutex
	first   *creditWait
	last    *creditWait
	spare   sync.Pool // of *creditWait
}

// creditWait is a caller in the queue.
type creditWait struct {
	bytes   int64
	granted chan struct{} // of capacity 1
	next    *creditWait
	queued  bool
}

// opsShift leaves room for 16 million operations and a tebibyte.
const opsShift = 40

// The bounds that Config may ask for leave room for callers that look whether
// there is some.
const (
	mostInFlight      = 1 << 22
	mostInFlightBytes = 1 << 38
)

// inFlight returns the credit that is taken.
func (c *credits) inFlight() (ops, bytes int64) {
	used := c.used.Load()
	return used >> opsShift, used & (1<<opsShift - 1)
}

// force takes credit for one operation that must go in any case.
func (c *credits) force() { c.used.Add(1 << opsShift) }

func newCredits(ops int, bytes int64) *credits {
	return &credits{maxOps: int64(ops), maxBytes: bytes}
}

// tryAcquire takes credit for one operation of so many bytes, if there is room
// and nobody waits for it. An operation larger than all credit may go when
// nothing else is on its way.
func (c *credits) tryAcquire(bytes int64) bool {
	if c.waiting.Load() > 0 {
		return false
	}
	if c.take(bytes) {
		return true
	}
	if c.waiting.Load() > 0 {
		// For a moment it looked as if the credit were taken.
		c.grant()
	}
	return false
}

// take takes credit if there is room.
func (c *credits) take(bytes int64) bool {
	used := c.used.Add(1<<opsShift | bytes)
	ops, all := used>>opsShift, used&(1<<opsShift-1)
	if ops <= c.maxOps && (all <= c.maxBytes || all == bytes) {
		return true
	}
	c.used.Add(-(1<<opsShift | bytes))
	return false
}

// acquire waits for credit until the context ends or stopped is closed.
func (c *credits) acquire(ctx context.Context, bytes int64, stopped <-chan struct{}) error {
	if c.tryAcquire(bytes) {
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
		err = context.Cause(ctx)
	case <-stopped:
		err = ErrStopped
	}
	if c.leave(w) {
		c.spare.Put(w)
		return err
	}
	// Granted in that moment, to somebody who no longer wants it.
	<-w.granted
	c.spare.Put(w)
	c.release(bytes)
	return err
}

// release gives credit back and lets those go on who waited for it.
func (c *credits) release(bytes int64) { c.releaseMany(1, bytes) }

// releaseMany gives back the credit of several operations.
func (c *credits) releaseMany(ops, bytes int64) {
	c.used.Add(-(ops<<opsShift | bytes))
	if c.waiting.Load() > 0 {
		c.grant()
	}
}

// enqueue puts a caller at the end of the queue.
func (c *credits) enqueue(w *creditWait) {
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
func (c *credits) leave(w *creditWait) bool {
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
	// It may have been a large one that kept small ones waiting.
	c.grantLocked()
	return true
}

func (c *credits) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grantLocked()
}

// grantLocked gives credit to the first in the queue, as long as there is room.
func (c *credits) grantLocked() {
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
