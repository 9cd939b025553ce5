package main

import (
	"context"
	"os"
	"strings"
	"syscall"

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
	// once is for what comes out the same each time, and takes long.
	once bool
	// together is for contestants that do not disturb each other: they run at the same time.
	together bool
}

// group is the first word of the name. The rows of a group share what they are run on.
func (r row) group() string {
	group, _, _ := strings.Cut(r.name, "-")
	return group
}

// turns is how often each contestant runs.
func (r row) turns(runs int) int {
	if r.once {
		return 1
	}
	return runs
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
	kept *fixtures
}

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
