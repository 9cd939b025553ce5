package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrBadPattern is the error for a pattern that is none, or that is never due. The pattern
// is not in the text of the error.
var ErrBadPattern = errors.New("schedule: bad pattern")

func badPattern(why string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadPattern, fmt.Sprintf(why, args...))
}

// Schedule is a pattern that was parsed. It is immutable.
type Schedule struct {
	at    int64         // of @at
	every time.Duration // of @every
	cron  *cron         // of all others but @at
	zone  *time.Location
}

const (
	atPrefix    = "@at "
	everyPrefix = "@every "
)

// Parse parses a pattern. zone is nil when none was given: only cron and its short forms
// have one.
func Parse(pattern string, zone *time.Location) (Schedule, error) {
	rest, isAt := strings.CutPrefix(pattern, atPrefix)
	if !isAt {
		rest, _ = strings.CutPrefix(pattern, everyPrefix)
	}
	switch {
	case len(rest) == len(pattern):
		c, err := parseCron(pattern)
		if err != nil {
			return Schedule{}, err
		}
		if zone == nil {
			zone = time.UTC
		}
		return Schedule{cron: c, zone: zone}, nil
	case zone != nil:
		return Schedule{}, badPattern("a time zone with @at or @every")
	case isAt:
		return parseAt(rest)
	default:
		return parseEvery(rest)
	}
}

func parseAt(text string) (Schedule, error) {
	// In UTC, as time.Parse would look at the zone of this machine.
	t, err := time.ParseInLocation(time.RFC3339, text, time.UTC)
	if err != nil {
		return Schedule{}, badPattern("@at without a time as in RFC 3339")
	}
	at := t.UnixNano()
	if !time.Unix(0, at).Equal(t) {
		return Schedule{}, badPattern("@at a time that is too far away")
	}
	return Schedule{at: at, zone: time.UTC}, nil
}

func parseEvery(text string) (Schedule, error) {
	every, err := time.ParseDuration(text)
	if err != nil || every < time.Second {
		return Schedule{}, badPattern("@every without a duration of at least a second")
	}
	return Schedule{every: every, zone: time.UTC}, nil
}

// Repeats reports whether the schedule is due more than once.
func (s *Schedule) Repeats() bool { return s.every > 0 || s.cron != nil }

// Next returns the first time after a given one at which the schedule is due, or false
// when there is none before the end of time. One that is due once is due at its time, even
// if that is past. @every counts from the given time, rounded to the second.
func (s *Schedule) Next(after int64) (due int64, ok bool) {
	switch {
	case s.cron != nil:
		return s.cron.next(after, s.zone)
	case s.every > 0:
		if due = roundSecond(after) + int64(s.every); due <= after { // beyond the end of time
			return 0, false
		}
		return due, true
	}
	return s.at, true
}

// Again returns when a schedule that repeats, and that was due at a given time, is due
// next, or false as Next does. What was missed until now is not made up for: it goes on
// from now.
func (s *Schedule) Again(was, now int64) (due int64, ok bool) {
	if due, ok = s.Next(was); ok && due < now {
		return s.Next(now)
	}
	return due, ok
}

// AppendTime appends a time as a server writes it into the messages that a schedule
// produces: as in RFC 3339, in the zone of the schedule.
func (s *Schedule) AppendTime(dst []byte, at int64) []byte {
	return time.Unix(0, at).In(s.zone).AppendFormat(dst, time.RFC3339Nano)
}

// roundSecond rounds to the nearest second, and half of one up. What would be beyond either
// end of time it rounds to the other side.
func roundSecond(at int64) int64 {
	part := floorMod(at, int64(time.Second))
	down, up := at-part, at-part+int64(time.Second)
	if down > at || part >= int64(time.Second)/2 && up > at {
		return up
	}
	return down
}

// floorDiv divides and rounds down, also below zero.
func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}

func floorMod(a, b int64) int64 { return (a%b + b) % b }
