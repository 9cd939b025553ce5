package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// millraceName is the contestant that the targets are about.
const millraceName = "Millrace"

// row is one task that several stores do.
type row struct {
	name        string // as -rows matches it
	title       string
	contestants []contestant
	targets     []target
}

// contestant does the row's task with one store in one mode. It is used by one goroutine.
type contestant interface {
	name() string
	// run does the task once and measures it. What it needs is made at the first run.
	run(ctx context.Context, place workplace) (measure.Run, error)
	// close frees what run left open. It may be called without any run.
	close() error
}

// workplace is where and how much a contestant works.
type workplace struct {
	dir  string // a folder to make folders in
	size size
}

// size is how much work the rows do.
type size struct {
	duration     time.Duration // of a run that stores
	scanMessages int
	openMessages int
}

// The sizes of an ordinary run, of -short, and of the unit test.
var (
	fullSize  = size{duration: 1500 * time.Millisecond, scanMessages: 2_000_000, openMessages: 5_000_000}
	shortSize = size{duration: 150 * time.Millisecond, scanMessages: 200_000, openMessages: 300_000}
	tinySize  = size{duration: 5 * time.Millisecond, scanMessages: 2_000, openMessages: 3_000}
)

// freshDir makes an empty folder for one store, and a function that removes it.
func (w workplace) freshDir() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(w.dir, "store-")
	if err != nil {
		return "", nil, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// settle has the system write what earlier runs left in the page cache, so that it is not counted
// against the next.
func (w workplace) settle() {
	syscall.Sync()
}

// figure is what a target looks at.
type figure int

const (
	rateFigure figure = iota
	p50Figure
	p99Figure
	timeFigure
	allocsFigure
)

// target compares a figure of Millrace with the same figure of another contestant. The ratio is
// always Millrace's figure by the other's; for a rate it must be at least the bound, for a time at
// most. For allocations the bound is absolute, and against is Millrace itself.
type target struct {
	against string
	figure  figure
	bound   float64
}

// check returns the ratio and whether it is as good as it should be.
func (t target) check(ours, theirs measure.Summary) (ratio float64, met bool) {
	switch t.figure {
	case rateFigure:
		ratio = divide(ours.Rate, theirs.Rate)
		return ratio, ratio >= t.bound
	case p50Figure:
		ratio = divide(float64(ours.P50), float64(theirs.P50))
	case p99Figure:
		ratio = divide(float64(ours.P99), float64(theirs.P99))
	case timeFigure:
		ratio = divide(float64(ours.Elapsed), float64(theirs.Elapsed))
	case allocsFigure:
		ratio = ours.AllocsPerItem
	}
	return ratio, ratio <= t.bound
}

// String is the target as the table shows it.
func (t target) String() string {
	switch t.figure {
	case rateFigure:
		return fmt.Sprintf("rate >= %sx", short(t.bound))
	case p50Figure:
		return fmt.Sprintf("p50 <= %sx", short(t.bound))
	case p99Figure:
		return fmt.Sprintf("p99 <= %sx", short(t.bound))
	case timeFigure:
		return fmt.Sprintf("%sx faster", short(1/t.bound))
	}
	return fmt.Sprintf("allocations <= %s", short(t.bound))
}

func divide(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
