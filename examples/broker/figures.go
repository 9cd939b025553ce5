package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// grouped writes a count with commas: 1,234,567.
func grouped[T ~int | ~int64 | ~uint64](n T) string {
	digits := strconv.FormatUint(uint64(n), 10)
	var out strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return out.String()
}

// size writes bytes in the unit that reads best.
func size[T ~int | ~int64 | ~uint64](n T) string {
	const unit = 1024
	value, names := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	step := 0
	for value >= unit && step < len(names)-1 {
		value /= unit
		step++
	}
	if step == 0 {
		return fmt.Sprintf("%d B", uint64(n))
	}
	return fmt.Sprintf("%.1f %s", value, names[step])
}

// perSecond is a rate that survives an interval of nothing.
func perSecond(count uint64, elapsed time.Duration) uint64 {
	if elapsed <= 0 {
		return 0
	}
	return uint64(float64(count) / elapsed.Seconds())
}

// brief rounds a duration to three digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// A table is two columns of text.
type table struct {
	title string
	rows  [][2]string
}

func (t *table) row(name, format string, values ...any) {
	t.rows = append(t.rows, [2]string{name, fmt.Sprintf(format, values...)})
}

// print writes the table with a rule above and below.
func (t *table) print(out io.Writer) {
	name, value := 0, 0
	for _, row := range t.rows {
		name, value = max(name, utf8.RuneCountInString(row[0])), max(value, utf8.RuneCountInString(row[1]))
	}
	rule := strings.Repeat("-", name+2+value)
	fmt.Fprintf(out, "\n%s\n%s\n", t.title, rule)
	for _, row := range t.rows {
		fmt.Fprintf(out, "%-*s  %s\n", name, row[0], row[1])
	}
	fmt.Fprintln(out, rule)
}
