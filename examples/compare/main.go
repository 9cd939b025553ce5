// Command compare runs Millrace and its peers over the same tasks, in one process and in turns, and
// prints one table with the ratios.
//
//	go run . -runs 3 -out ../../docs/benchmarks.md
//
// With -rows only the rows whose names match run. README.md lists them; their groups are durable,
// offered, nosync, scan, open, load, filter, query, full, large, first, many, kept, snapshot, steady, remove, index,
// heap, ttl and state.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"strings"
	"syscall"
)

// notes is what is said about the numbers by hand. It is put into the report below the table.
//
//go:embed notes.md
var notes string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	probing, err := isProbe(ctx, os.Stdout)
	if !probing {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// run is the command with its arguments and its output.
func run(ctx context.Context, arguments []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	pattern := flags.String("rows", "", "run only the rows whose names match this regular expression")
	flags.StringVar(pattern, "row", "", "the same as -rows")
	stores := flags.String("stores", "", "run only the stores whose names match this regular expression")
	profile := flags.String("cpuprofile", "", "the file to write a CPU profile of all runs to")
	runs := flags.Int("runs", 3, "how often each store does each row; the median counts")
	parent := flags.String("dir", ".", "the folder in which the stores get folders of their own, removed at the end")
	small := flags.Bool("short", false, "do less: about a minute, for a first look")
	quick := flags.Bool("quick", false, "do as little as shows anything: seconds for one row; one run of each unless -runs is given")
	report := flags.String("out", "", "the file to write the report to, besides the table on the standard output")
	version := flags.Bool("version", false, "print which program this is, and do nothing")
	flags.SetOutput(out)
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *version:
		fmt.Fprintln(out, "compare of Millrace,", buildText())
		return nil
	}
	if *quick && !given(flags, "runs") {
		*runs = 1
	}
	if *runs < 1 {
		return errors.New("-runs must be at least 1")
	}
	rows, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	names, err := regexp.Compile(*stores)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*parent, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	place := workplace{dir: dir, size: fullSize}
	if *small || *quick {
		place.size = shortSize
	}
	if *quick {
		place.size = place.size.quick()
	}
	stopProfile, err := startProfile(*profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	var raw bytes.Buffer
	outcomes, err := suite{rows: rows, stores: names, runs: *runs, place: place, log: io.MultiWriter(&raw, out)}.run(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "\n%s", table(outcomes)); err != nil {
		return err
	}
	if *report == "" {
		return nil
	}
	drawing, err := drawChart(*report, outcomes)
	if err != nil {
		return err
	}
	return os.WriteFile(*report,
		[]byte(document(outcomes, *runs, commandLine(flags), drawing, notes, raw.String(), describe(dir))), 0o644)
}

// startProfile begins a CPU profile, unless path is empty, and returns what ends it.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// given says whether a flag is on the command line.
func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// commandLine is the command with the flags that were given, without those that name places.
func commandLine(flags *flag.FlagSet) string {
	words := []string{"go run ."}
	flags.Visit(func(f *flag.Flag) {
		if f.Name != "out" && f.Name != "dir" && f.Name != "cpuprofile" {
			words = append(words, fmt.Sprintf("-%s=%s", f.Name, f.Value))
		}
	})
	return strings.Join(words, " ")
}
