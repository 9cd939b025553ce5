package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// figure is what a target looks at.
type figure int

const (
	rateFigure figure = iota
	p50Figure
	p99Figure
	timeFigure
	allocsFigure
	extraFigure
)

// target is what a figure of Millrace should be: in proportion to the same figure of another contestant,
// or by itself when against is Millrace. A rate must be at least the bound, a time, allocations and a
// heap at most.
type target struct {
	against string
	figure  figure
	bound   float64 // a ratio; by itself in messages a second, nanoseconds, allocations, or the extra's unit
	extra   string  // the name of an extraFigure
	unit    measure.Unit
	atLeast bool // of an extraFigure: the bound is a lower one
}

// onCores is a bound that depends on how much can run at a time.
func onCores(two, more float64) float64 {
	if runtime.GOMAXPROCS(0) <= 2 {
		return two
	}
	return more
}

// alone says whether the target is about Millrace by itself.
func (t target) alone() bool { return t.against == millraceName }

// value is the figure that the target looks at.
func (t target) value(s measure.Summary) float64 {
	switch t.figure {
	case rateFigure:
		return s.Rate
	case p50Figure:
		return float64(s.P50)
	case p99Figure:
		return float64(s.P99)
	case timeFigure:
		return float64(s.Elapsed)
	case allocsFigure:
		return s.AllocsPerItem
	}
	return s.Extra(t.extra)
}

// check returns the figure, as a ratio unless it stands by itself, and whether it is as good as it
// should be.
func (t target) check(ours, theirs measure.Summary) (value float64, met bool) {
	value = t.value(ours)
	if !t.alone() {
		value = divide(value, t.value(theirs))
	}
	if t.figure == rateFigure || t.atLeast {
		return value, value >= t.bound
	}
	return value, value <= t.bound
}

// manyTimes is the ratio from which on a latency is said to be so many times lower.
const manyTimes = 5

// lower says whether a latency should be many times lower than another.
func (t target) lower() bool {
	return !t.alone() && (t.figure == p50Figure || t.figure == p99Figure) && t.bound <= 1.0/manyTimes
}

// none is the allocations per operation below which there are none: what the runtime does beside the
// work is counted, too.
const none = 0.005

// String is the target as the table shows it.
func (t target) String() string {
	name := [...]string{"rate", "p50", "p99", "time", "allocations", t.extra}[t.figure]
	switch {
	case t.figure == allocsFigure && t.bound == none:
		return "no allocations"
	case t.lower():
		return fmt.Sprintf("%s %sx lower", name, short(1/t.bound))
	case t.figure == timeFigure && !t.alone() && t.bound <= 1:
		return fmt.Sprintf("%sx faster", short(1/t.bound))
	case t.figure == rateFigure || t.atLeast:
		return fmt.Sprintf("%s >= %s", name, t.text(t.bound))
	}
	return fmt.Sprintf("%s <= %s", name, t.text(t.bound))
}

// text is a value that check returned, as the table shows it.
func (t target) text(value float64) string {
	switch {
	case t.figure == extraFigure && t.alone():
		return short(value) + string(t.unit)
	case t.lower():
		return short(divide(1, value)) + "x"
	case !t.alone():
		return short(value) + "x"
	case t.figure == p50Figure || t.figure == p99Figure || t.figure == timeFigure:
		return duration(time.Duration(value))
	}
	return short(value)
}

// verdict says whether the target is met, with the ratio where the table does not show it.
func (t target) verdict(ours, theirs measure.Summary) string {
	value, met := t.check(ours, theirs)
	text := "not met"
	if met {
		text = "met"
	}
	if !t.alone() && (t.figure == p50Figure || t.figure == p99Figure || t.figure == extraFigure) {
		text += " (" + t.text(value) + ")"
	}
	return text
}

func divide(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
