package mailbox

import (
	"runtime"
	"time"
)

// patience decides whether a mailbox yields the processor in the hope of messages that other
// goroutines are about to post. Where the processors are busy with other work, a yield returns late.
// After a yield that returned late and brought no message, the next ones are left out: 16 at first,
// twice as many after each further one, up to 1,024. A yield that returns soon, or that brings a
// message, ends that.
type patience struct {
	yields  uint // so far, to time one in measureEach
	skip    int  // how many of the next yields to leave out
	penalty int  // how many were left out after the last late yield
	long    bool // the last yield was late, and paid has not been called since

	now     func() time.Time
	gosched func() // yields the processor
}

func newPatience() patience { return patience{now: time.Now, gosched: runtime.Gosched} }

const (
	longYield   = 50 * time.Microsecond // from here on a yield is late
	leastSkip   = 16
	mostSkip    = 1024
	measureEach = 8 // to read the clock costs as much as a yield with nobody else to run
)

// yield yields the processor, or reports false when it left that out.
func (p *patience) yield() bool {
	if p.long { // paid was not called: the late yield brought nothing
		p.long = false
		p.penalty = min(max(2*p.penalty, leastSkip), mostSkip)
		p.skip = p.penalty
	}
	if p.skip > 0 {
		p.skip--
		return false
	}
	if p.yields++; p.yields%measureEach != 0 && p.penalty == 0 {
		p.gosched()
		return true
	}
	start := p.now()
	p.gosched()
	if p.long = p.now().Sub(start) > longYield; !p.long {
		p.penalty = 0
	}
	return true
}

// paid tells that the last yield has brought messages.
func (p *patience) paid() { p.long, p.penalty = false, 0 }
