package actors

import (
	"math/rand/v2"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// How long callers wait for their acknowledgements (Stats.AckSeconds) is measured with two readings of the clock, which
// take as long as a twentieth of what a store in a pipeline does. While a store is busy one operation of sampleOf is
// measured, and stands for that many.
const (
	sampleOf = 16
	// busyFrom is the time between two operations below which a store is busy: there the readings would cost more than a
	// thousandth.
	busyFrom = 50 * time.Microsecond
	// loadWindow is how long operations are counted before that is looked at again.
	loadWindow = 10 * time.Millisecond
)

// load is how much a store has to do.
type load struct {
	since int64 // when the counting began, see storeActor.now
	ops   int64 // operations that were answered since
}

// busy reports whether the store has much to do, and whether that is known, as the window is over. Then another begins.
func (l *load) busy(now int64) (busy, known bool) {
	passed := time.Duration(now - l.since)
	if passed >= 0 && passed < loadWindow {
		return false, false
	}
	busy = passed > 0 && passed < time.Duration(l.ops)*busyFrom
	l.since, l.ops = now, 0
	return busy, true
}

// started is what instants are counted from: only such a clock reads the monotonic time alone, at half the price.
var started = time.Now()

// instant returns a monotonic time, in nanoseconds; never 0.
func instant() int64 { return int64(time.Since(started)) | 1 }

// stamp notes when a call began that stores messages, if it is one to be measured. It is inlined.
func (s *stream) stamp(o *op) {
	if o.uses++; o.uses%sampleOf == 0 || !s.sampling.Load() {
		s.stampNow(o)
	}
}

func (s *stream) stampNow(o *op) {
	if !o.storesMessages() {
		return
	}
	o.weight = 1
	if s.sampling.Load() {
		o.weight = sampleOf
	}
	o.since = instant()
}

// storesMessages reports whether the operation is one that is acknowledged.
func (o *op) storesMessages() bool {
	switch o.command {
	case &o.store, &o.raw, &o.batch:
		return true
	}
	return false
}

// acknowledged counts how long an operation took that was stamped. Refused ones do not count.
func (s *stream) acknowledged(o *op, r *engine.Reply) {
	if r.Err == nil {
		s.meters.acks.observeTime(time.Duration(instant()-o.since), uint64(o.weight))
	}
	o.since = 0
}

// anyUse returns where the uses of an operation begin, so that not all of them are measured at the same time.
func anyUse() uint8 { return uint8(rand.Uint32()) }
