package msgheader

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrBadValue is the error for a header whose value it cannot have. The value is not in
// the text of the error.
var ErrBadValue = errors.New("bad value")

func badValue(name, wanted string) error {
	return fmt.Errorf("%w: %s is not %s", ErrBadValue, name, wanted)
}

// Never is the TTL of a message that does not expire, not by MaxAge either.
const Never = int64(-1)

// ParseTTL returns the value of a TTL header in whole seconds, or Never. It is a number of
// seconds; a duration as time.ParseDuration reads it, of at least a second, whose fraction
// of a second is dropped; or the word never. No value is no TTL, which is 0. (A number
// written 00 is no TTL either, as a server has it. 0 is a duration, and too short.)
func ParseTTL(value []byte) (seconds int64, err error) {
	switch {
	case len(value) == 0:
		return 0, nil
	case isWord(value, TTLNeverWord):
		return Never, nil
	}
	if number, ok := parseNumber(value); ok && number <= math.MaxInt64 && string(value) != "0" {
		return int64(number), nil
	}
	if len(value) <= longestNumber {
		if d, err := time.ParseDuration(string(value)); err == nil && d >= time.Second {
			return int64(d / time.Second), nil
		}
	}
	return 0, badValue(TTL, "a number of seconds, a duration of at least a second, or never")
}

// Due returns when a message expires: so many seconds after its time. It is
// math.MaxInt64 when that is beyond the end of time, and when there is no TTL or it is
// Never.
func Due(stamp, ttl int64) int64 {
	const most = int64(math.MaxInt64) / int64(time.Second)
	if ttl <= 0 || ttl > most {
		return math.MaxInt64
	}
	due := stamp + ttl*int64(time.Second)
	if due < stamp {
		return math.MaxInt64
	}
	return due
}

// RollupKind is what a message takes the place of.
type RollupKind uint8

// The kinds.
const (
	RollupNone    RollupKind = iota
	RollupSubject            // the messages of its subject
	RollupAll                // all messages of the stream
)

// ParseRollup returns the value of a Rollup header, which may be in any case.
func ParseRollup(value []byte) (RollupKind, error) {
	switch {
	case len(value) == 0:
		return RollupNone, nil
	case isWord(value, RollupSub):
		return RollupSubject, nil
	case isWord(value, RollupStream):
		return RollupAll, nil
	}
	return RollupNone, badValue(Rollup, "sub or all")
}

// ParseSequence returns the sequence that a header of expectations has; name is for the
// error. No value is no expectation.
func ParseSequence(name string, value []byte) (sequence uint64, expected bool, err error) {
	if len(value) == 0 {
		return 0, false, nil
	}
	if sequence, ok := parseNumber(value); ok {
		return sequence, true, nil
	}
	return 0, false, badValue(name, "a sequence")
}

// ParseNext returns the value of a ScheduleNext header: when the schedule is due, or that
// it is done.
func ParseNext(value []byte) (next int64, purge bool, err error) {
	if string(value) == NextPurge {
		return 0, true, nil
	}
	if len(value) <= longestNumber {
		// In UTC, as time.Parse would look at the zone of this machine.
		if t, err := time.ParseInLocation(time.RFC3339Nano, string(value), time.UTC); err == nil {
			if next = t.UnixNano(); time.Unix(0, next).Equal(t) {
				return next, false, nil
			}
		}
	}
	return 0, false, badValue(ScheduleNext, "a time or purge")
}

// parseNumber returns a number that is written with digits only.
func parseNumber(value []byte) (number uint64, ok bool) {
	for _, c := range value {
		digit := uint64(c) - '0'
		if c < '0' || c > '9' || number > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		number = number*10 + digit
	}
	return number, len(value) > 0
}

// isWord reports whether a value is a word, of which the lower case is given, in any case.
// It folds the letters of ASCII only: ſub is not sub.
func isWord(value []byte, word string) bool {
	if len(value) != len(word) {
		return false
	}
	for i, c := range value {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
