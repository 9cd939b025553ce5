package actors

import (
	"context"
	"sync"
	"sync/atomic"
)

// credits bound the work that is on its way: operations and their bytes. Taking
// and giving back costs two atomic additions while there is room.
type credits struct {
	maxOps, maxBytes int64
	ops, bytes       atomic.Int64

	mu      sync.Mutex
	waiting atomic.Int32
	room    chan struct{} // closed and replaced when credit comes back
}

func newCredits(ops int, bytes int64) *credits {
	return &credits{maxOps: int64(ops), maxBytes: bytes, room: make(chan struct{})}
}

// tryAcquire takes credit for one operation of so many bytes, if there is room.
// An operation larger than all credit may go when nothing else is on its way.
func (c *credits) tryAcquire(bytes int64) bool {
	ops := c.ops.Add(1)
	all := c.bytes.Add(bytes)
	if ops <= c.maxOps && (all <= c.maxBytes || all == bytes) {
		return true
	}
	c.release(bytes)
	return false
}

// acquire waits for credit until the context ends or stopped is closed.
func (c *credits) acquire(ctx context.Context, bytes int64, stopped <-chan struct{}) error {
	if c.tryAcquire(bytes) {
		return nil
	}
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	for {
		c.mu.Lock()
		room := c.room
		c.mu.Unlock()
		// Credit may have come back before the channel was taken.
		if c.tryAcquire(bytes) {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stopped:
			return ErrStopped
		}
	}
}

// release gives credit back and wakes those who wait for it.
func (c *credits) release(bytes int64) {
	c.ops.Add(-1)
	c.bytes.Add(-bytes)
	if c.waiting.Load() > 0 {
		c.mu.Lock()
		close(c.room)
		c.room = make(chan struct{})
		c.mu.Unlock()
	}
}
