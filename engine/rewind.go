package engine

// A truncation makes the last sequence go back, and the sequences behind it are used again. Readers that are on
// their way learn of it here: what they have not seen behind it is not what they were to see, and what they have
// seen is gone.

// rewinds is how often the last sequence went back, and the latest times. It does not change.
type rewinds struct {
	count uint64
	// lows are the times after which it never went back as far again, and how far it went: ascending in both.
	lows []low
}

type low struct{ number, last uint64 }

// mostLows bounds the times that are known. Beyond it a reader that has not looked since the first of them is
// told to go further back than it has to.
const mostLows = 1024

// rewind notes that the last sequence went back to one. The engine alone calls it, while it publishes and when
// the last sequence is published.
func (p *Published) rewind(last uint64) {
	next := &rewinds{count: 1}
	if before := p.rewinds.Load(); before != nil {
		next.count = before.count + 1
		for _, l := range before.lows {
			if l.last < last {
				next.lows = append(next.lows, l)
			}
		}
	}
	next.lows = append(next.lows, low{next.count, last})
	if n := len(next.lows); n > mostLows {
		next.lows[1].last = next.lows[0].last
		next.lows = next.lows[1:]
	}
	p.rewinds.Store(next)
}

// Rewinds returns how often the last sequence went back.
func (p *Published) Rewinds() uint64 {
	if r := p.rewinds.Load(); r != nil {
		return r.count
	}
	return 0
}

// RewoundTo returns how often the last sequence went back, and to which one at the lowest since it had gone
// back so often. It is false when it did not since. Whoever asks after having taken a snapshot is told of all
// before that snapshot.
func (p *Published) RewoundTo(since uint64) (count, last uint64, ok bool) {
	r := p.rewinds.Load()
	if r == nil || r.count == since {
		return since, 0, false
	}
	for _, l := range r.lows {
		if l.number > since {
			return r.count, l.last, true
		}
	}
	return since, 0, false
}
