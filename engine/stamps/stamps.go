package stamps

import (
	"math"
	"time"
)

const (
	// MaxAhead is how far ahead of the clock the time of a message may be for those behind
	// it to get the same time instead of the clock's.
	MaxAhead = int64(24 * time.Hour)
	// None stands for a time that there is not.
	None = int64(math.MinInt64)
	// never is a time that does not come.
	never = int64(math.MaxInt64)
)

// Next returns the time for a new message. last is the one that was given last, or that of
// the last message when a stream is opened, or None.
func Next(last, now int64) int64 {
	if last > Later(now, MaxAhead) {
		return now
	}
	return max(last, now)
}

// ForExpiry returns the time from which the age of a message counts: its own, or, while
// that is ahead of the clock, the highest around it that is not. Without one around, which
// is None, the message has no age while it is ahead.
func ForExpiry(stamp, now, around int64) int64 {
	switch {
	case stamp <= now:
		return stamp
	case around == None:
		return now
	}
	return min(around, now)
}

// Later returns the time that is so much later, or the last there is.
func Later(stamp, by int64) int64 {
	if stamp > never-by {
		return never
	}
	return stamp + by
}

// Earlier returns the time that is so much earlier, or the first there is.
func Earlier(stamp, by int64) int64 {
	if stamp < math.MinInt64+by {
		return math.MinInt64
	}
	return stamp - by
}
