package read

import (
	"math"
	"time"
)

// FirstTime and LastTime are the times that nanoseconds since the epoch can tell.
var FirstTime, LastTime = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// ClampTime returns a time in nanoseconds since the epoch: FirstTime when it is before that, and false
// when it is after every time that a message can have.
func ClampTime(t time.Time) (nanoseconds int64, ok bool) {
	switch {
	case t.Before(FirstTime):
		return FirstTime.UnixNano(), true
	case t.After(LastTime):
		return 0, false
	}
	return t.UnixNano(), true
}

// AtTime returns the sequence of the first live message whose time is not before one,
// or what follows the last.
func (l *Lookup) AtTime(wanted int64) (sequence uint64, err error) {
	sequence = l.now.LastSequence + 1
	if l.now.Messages == 0 {
		return sequence, nil
	}
	blocks := l.now.View.Blocks()
	for i := l.block(l.now.FirstSequence); i < len(blocks) && sequence > l.now.LastSequence; i++ {
		if blocks[i].LastTime() < wanted {
			continue
		}
		err := l.parts(i, l.now.FirstSequence, l.now.LastSequence, false, func(p *part, low, high int) error {
			at, err := l.atTime(p, wanted, low, high)
			if err != nil || at >= high {
				return err
			}
			if sequence, err = p.table.sequence(at); err != nil {
				return err
			}
			return errStopVisit
		})
		if err = unlessStopped(err); err != nil {
			return 0, err
		}
	}
	return sequence, nil
}

// atTime returns the first live one of the records low..high-1 whose time is not before one, or a record
// behind them. The times of the records need not ascend: the next live one behind a record that is late
// enough may be too early again.
func (l *Lookup) atTime(p *part, wanted int64, low, high int) (int, error) {
	for {
		at, err := p.table.searchTime(low, wanted)
		if err != nil || at >= high {
			return high, err
		}
		if low, err = p.next(&l.set, at, high); err != nil || low == at {
			return low, err
		}
	}
}
