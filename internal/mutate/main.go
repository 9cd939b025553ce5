// Command mutate changes the code in places where a change must break something, one place at a time,
// and looks whether a test notices. It works in a copy of the module: the tree it is run in stays as it
// is. The changes are in mutations.txt, whose head says what an entry looks like.
//
//	go run ./internal/mutate [-list] [-run regexp] [-shard i/n] [-timeout 2m]
//
// It ends with status 1 when a change survived that has no reason to, and when an entry no longer fits
// the code.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the command without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(errs)
	var (
		root    = flags.String("root", ".", "the folder of the module's go.mod")
		file    = flags.String("file", "internal/mutate/mutations.txt", "the list of mutations")
		pattern = flags.String("run", "", "only mutations whose name matches this regular expression")
		list    = flags.Bool("list", false, "print the names and do nothing else")
		shard   = flags.String("shard", "1/1", "only the i-th of n parts of the list, as i/n")
		timeout = flags.Duration("timeout", 2*time.Minute, "how long the tests of one mutation may take")
	)
	if err := flags.Parse(args); err != nil {
		return 2
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(errs, "mutate:", err)
		return 2
	}
	names, err := regexp.Compile(*pattern)
	if err != nil {
		return fail(err)
	}
	all, err := readEntries(*file)
	if err != nil {
		return fail(err)
	}
	entries, err := choose(all, names, *shard)
	if err != nil {
		return fail(err)
	}
	if *list {
		for _, e := range entries {
			_, _ = fmt.Fprintf(out, "%-48s %s\n", e.Name, e.File)
		}
		return 0
	}
	files, err := gitFiles(ctx, *root)
	if err != nil {
		return fail(err)
	}
	copied, err := copyModule(*root, files)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(copied) }()
	m := mutator{dir: copied, timeout: *timeout, out: out}
	results, err := m.run(ctx, entries)
	if err != nil {
		return fail(err)
	}
	if report(out, results) {
		return 0
	}
	return 1
}
