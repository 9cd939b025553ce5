package schedule

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cron is a pattern of cron: the numbers that match, as bits.
type cron struct {
	seconds, minutes, hours, days, months, weekdays uint64
	// both tells that the day of the month and that of the week have to match, not one
	// of them.
	both bool
}

// bounds are the numbers that a field may hold, and their names.
type bounds struct {
	name     string
	min, max int
	names    []string // from min on
}

var fields = [6]bounds{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// short returns the pattern for which a short form stands.
func short(pattern string) string {
	switch pattern {
	case "@yearly", "@annually":
		return "0 0 0 1 1 *"
	case "@monthly":
		return "0 0 0 1 * *"
	case "@weekly":
		return "0 0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 0 * * *"
	case "@hourly":
		return "0 0 * * * *"
	}
	return pattern
}

func parseCron(pattern string) (*cron, error) {
	texts := strings.Fields(short(pattern))
	if len(texts) != len(fields) {
		return nil, badPattern("%d fields, not %d", len(texts), len(fields))
	}
	var c cron
	var unrestricted [len(fields)]bool
	for i, into := range [...]*uint64{&c.seconds, &c.minutes, &c.hours, &c.days, &c.months, &c.weekdays} {
		numbers, all, ok := fields[i].parse(texts[i])
		if !ok {
			return nil, badPattern("field %d is no %s", i+1, fields[i].name)
		}
		*into, unrestricted[i] = numbers, all
	}
	c.both = unrestricted[3] || unrestricted[5]
	if !c.possible() {
		return nil, badPattern("a day that is in none of the months")
	}
	return &c, nil
}

// parse reads a field, and tells whether it says that all numbers match.
func (b *bounds) parse(text string) (numbers uint64, all, ok bool) {
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		span, step, stepped := strings.Cut(item, "/")
		first, last, sign, ok := b.span(span, stepped)
		n := uint64(1)
		if stepped {
			var err error
			n, err = strconv.ParseUint(step, 10, 32)
			ok = ok && err == nil && n > 0
		}
		if !ok {
			return 0, false, false
		}
		all = all || sign && n == 1
		for i := uint64(first); i <= uint64(last); i += n {
			numbers |= 1 << i
		}
	}
	return numbers, all, numbers != 0
}

// span reads one number, two with a hyphen, or the sign for all. A number with a step
// begins a span to the end.
func (b *bounds) span(text string, stepped bool) (first, last int, all, ok bool) {
	if text == "*" || text == "?" {
		return b.min, b.max, true, true
	}
	from, to, isSpan := strings.Cut(text, "-")
	first, ok = b.number(from)
	last = first
	switch {
	case isSpan:
		var lastOK bool
		last, lastOK = b.number(to)
		ok = ok && lastOK
	case stepped:
		last = b.max
	}
	return first, last, false, ok && first <= last
}

func (b *bounds) number(text string) (number int, ok bool) {
	for i, name := range b.names {
		if strings.ToLower(text) == name {
			return b.min + i, true
		}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && int(n) >= b.min && int(n) <= b.max
}

// possible reports whether there is a day that matches, in some year.
func (c *cron) possible() bool {
	if everyWeekday := uint64(1<<7 - 1); !c.both || c.weekdays != everyWeekday {
		return true // some day of the week does, in any month
	}
	least := bits.TrailingZeros64(c.days)
	for month := time.January; month <= time.December; month++ {
		if c.months>>month&1 != 0 && least <= daysIn(month) {
			return true
		}
	}
	return false
}

// daysIn returns how many days a month has, in a leap year.
func daysIn(month time.Month) int {
	return time.Date(2024, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dayMatches reports whether the schedule is due on a day.
func (c *cron) dayMatches(day int, weekday time.Weekday) bool {
	inMonth, inWeek := c.days>>day&1 != 0, c.weekdays>>weekday&1 != 0
	if c.both {
		return inMonth && inWeek
	}
	return inMonth || inWeek
}
