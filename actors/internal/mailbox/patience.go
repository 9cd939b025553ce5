package mailbox

import (
	"runtime"
	"time"
)

// patience decides whether a mailbox yields the processor in the hope of messages that other
// goroutines are about to post. Where the processors are busy with other work, a yield returns late:
// the scheduler puts who yields behind everybody else that wants to run. A goroutine that is woken runs
// at once, in the place of the one that has woken it. So after a yield that returned late and brought
// less than two messages, the next ones are left out: 16 at first, twice as many after each further one,
// up to 1,024. A yield that returns soon, or that brings several messages, ends that: those would
// otherwise not be in one round.
type patience struct {
	yields  uint32 // so far, to time one in measureEach
	skip    int16  // how many of the next yields to leave out
	penalty int16  // how many were left out after the last late yield
	long    bool   // the last yield was late, and has not brought enough since

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
	if p.long { // the late yield was not worth it
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

// brought tells how many messages the last yield has brought.
func (p *patience) brought(messages int) {
	if messages > 1 {
		p.long, p.penalty = false, 0
	}
}
