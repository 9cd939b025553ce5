package schedule

import (
	"math"
	"math/bits"
	"time"
)

const (
	secondsOfDay = 24 * 60 * 60
	// horizon bounds how far ahead the next time is looked for, in seconds. The longest
	// way is to a 29 February: eight years over 2100, which is no leap year, and longer
	// when a zone leaves out the hour on that day.
	horizon = 30 * 366 * secondsOfDay
	// mostChanges bounds how many changes of a zone's clocks are passed on the way.
	mostChanges = 1000
)

// next returns the first time after a given one at which a clock in the zone shows what
// matches. Between two changes of the zone's clocks these are a fixed distance from UTC:
// the times between are searched as the clocks show them.
func (c *cron) next(after int64, zone *time.Location) (due int64, ok bool) {
	second := floorDiv(after, int64(time.Second)) + 1
	limit := second + horizon
	for changes := 0; second < limit && changes < mostChanges; changes++ {
		offset, change := unchanged(second, limit, zone)
		if found, ok := c.between(second+offset, change+offset); ok {
			if found -= offset; found > math.MaxInt64/int64(time.Second) {
				break
			}
			return found * int64(time.Second), true
		}
		second = change
	}
	return 0, false
}

// unchanged returns how far the clocks of a zone are from UTC at a second, and a later one,
// not above limit, until which they stay so.
func unchanged(second, limit int64, zone *time.Location) (offset, change int64) {
	t := time.Unix(second, 0).In(zone)
	offset, change = offsetAt(second, zone), limit
	if _, end := t.ZoneBounds(); !end.IsZero() {
		change = min(change, end.Unix())
	}
	if change > second {
		return offset, change
	}
	// Package time has the last day of a leap year behind the end of that year, where it
	// goes by the rule of a zone. Such days are passed in smaller steps.
	change = min(limit, second+3600)
	for offsetAt(change-1, zone) != offset {
		change = second + (change-second)/2
	}
	return offset, change
}

func offsetAt(second int64, zone *time.Location) int64 {
	_, offset := time.Unix(second, 0).In(zone).Zone()
	return int64(offset)
}

// between returns the first time that matches from one up to, and without, another. Both
// are what a clock shows, as if it were in UTC.
func (c *cron) between(from, to int64) (at int64, ok bool) {
	day, clock := floorDiv(from, secondsOfDay), int(floorMod(from, secondsOfDay))
	for ; day*secondsOfDay < to; day, clock = day+1, 0 {
		date := time.Unix(day*secondsOfDay, 0).UTC()
		if _, month, n := date.Date(); c.months>>month&1 == 0 {
			day += int64(daysLeft(date, n))
			continue
		}
		if !c.dayMatches(date.Day(), date.Weekday()) {
			continue
		}
		if clock, ok := c.onDay(clock); ok {
			at = day*secondsOfDay + int64(clock)
			return at, at < to
		}
	}
	return 0, false
}

// daysLeft returns how many days of its month come after a date, the day n of it.
func daysLeft(date time.Time, n int) int {
	return time.Date(date.Year(), date.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() - n
}

// onDay returns the first time of a day that matches, from a given one on, in seconds
// since its beginning.
func (c *cron) onDay(from int) (clock int, ok bool) {
	hour, minute, second := from/3600, from/60%60, from%60
	firstMinute, firstSecond := lowest(c.minutes, 0), lowest(c.seconds, 0)
	if c.hours>>hour&1 != 0 {
		if c.minutes>>minute&1 != 0 {
			if s := lowest(c.seconds, second); s < 60 {
				return hour*3600 + minute*60 + s, true
			}
		}
		if m := lowest(c.minutes, minute+1); m < 60 {
			return hour*3600 + m*60 + firstSecond, true
		}
	}
	if h := lowest(c.hours, hour+1); h < 24 {
		return h*3600 + firstMinute*60 + firstSecond, true
	}
	return 0, false
}

// lowest returns the lowest number of a set that is at least so much, or 64.
func lowest(numbers uint64, least int) int {
	return bits.TrailingZeros64(numbers >> least << least)
}
