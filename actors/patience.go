package actors

import (
	"runtime"
	"time"
)

// patience decides whether to yield the processor, in the hope of messages that others
// are about to post. On processors that are busy with other things a yield takes long;
// when it brings nothing either, it is left out for a while.
type patience struct {
	yields  uint
	skip    int // yields to leave out
	penalty int // of the next yield that is of no use
	long    bool
}

const (
	longYield   = 50 * time.Microsecond
	leastSkip   = 16
	mostSkip    = 1024
	measureEach = 8 // looking at the clock costs as much as an idle yield
)

// yield yields the processor. It reports false when it did not.
func (p *patience) yield() bool {
	if p.long { // and nothing came of it
		p.long = false
		p.penalty = min(max(2*p.penalty, leastSkip), mostSkip)
		p.skip = p.penalty
	}
	if p.skip > 0 {
		p.skip--
		return false
	}
	if p.yields++; p.yields%measureEach != 0 && p.penalty == 0 {
		runtime.Gosched()
		return true
	}
	start := time.Now()
	runtime.Gosched()
	if p.long = time.Since(start) > longYield; !p.long {
		p.penalty = 0
	}
	return true
}

// paid says that the last yield was of use.
func (p *patience) paid() { p.long, p.penalty = false, 0 }
