package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// TestMain lets the test binary be the process that measures a heap.
func TestMain(m *testing.M) {
	probing, err := isProbe(context.Background(), os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case !probing:
		os.Exit(m.Run())
	}
}

// TestHelpAndVersion run nothing and are no failure.
func TestHelpAndVersion(t *testing.T) {
	for argument, says := range map[string]string{"--help": "Usage of compare", "--version": "compare of Millrace, "} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{argument}, &out))
		require.Contains(t, out.String(), says)
	}
}

// TestEveryRowRuns runs every row in a tiny form, and wants each contestant to have stored something.
func TestEveryRowRuns(t *testing.T) {
	dir := t.TempDir()
	var raw bytes.Buffer
	outcomes, err := suite{runs: 2, place: workplace{dir: dir, size: tinySize}, log: &raw}.run(t.Context())
	require.NoError(t, err)
	require.Len(t, outcomes, len(allRows(tinySize)))
	lines := 0
	for _, o := range outcomes {
		require.NotEmpty(t, o.lines, o.row.name)
		for _, l := range o.lines {
			require.Len(t, l.runs, o.row.turns(2), "%s, %s", o.row.name, l.contestant)
			lines += len(l.runs)
			for _, run := range l.runs {
				require.Positive(t, run.Messages, "%s, %s", o.row.name, l.contestant)
			}
		}
		for _, target := range o.row.targets {
			ours, present := o.find(millraceName)
			if !present {
				continue
			}
			theirs, found := o.find(target.against)
			require.True(t, found, "%s: no contestant is called %s", o.row.name, target.against)
			if target.figure != allocsFigure {
				require.NotZero(t, target.value(ours), "%s: %s", o.row.name, target)
				require.NotZero(t, target.value(theirs), "%s: %s", o.row.name, target)
			}
		}
	}
	require.Equal(t, lines, strings.Count(raw.String(), "\n"))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "stores are removed")
}

func TestRunWritesTheReport(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "benchmarks.md")
	var printed bytes.Buffer
	require.NoError(t, run(t.Context(), []string{
		"-short", "-runs", "1", "-rows", "^nosync-64$", "-dir", dir, "-out", out}, &printed))
	require.Contains(t, printed.String(), "| no sync, 64 callers, one message each |")
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	require.NotContains(t, string(content), dir)
	for _, part := range []string{
		"Command: `go run . -rows=^nosync-64$ -runs=1 -short=true`", "| go | go1.", "## Raw output", "nats async",
	} {
		require.Contains(t, string(content), part)
	}
}

func TestQuickRunsEachStoreOnce(t *testing.T) {
	for arguments, runs := range map[string]int{"-row ^nosync-64$ -quick": 1, "-row ^nosync-64$ -quick -runs 2": 2} {
		var printed bytes.Buffer
		require.NoError(t, run(t.Context(), append(strings.Fields(arguments), "-dir", t.TempDir()), &printed))
		require.Equal(t, runs, strings.Count(printed.String(), "  Millrace  "), arguments)
		require.NotContains(t, printed.String(), "pipelined", "of one row")
	}
}

func TestRunRefusesBadFlags(t *testing.T) {
	for name, arguments := range map[string][]string{
		"runs":    {"-runs", "0"},
		"pattern": {"-rows", "("},
		"no row":  {"-rows", "nothing-like-it", "-dir", t.TempDir()},
		"folder":  {"-dir", filepath.Join(t.TempDir(), "missing")},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, run(t.Context(), arguments, io.Discard))
		})
	}
}

// example is a row of invented numbers.
func example() []outcome {
	return []outcome{{
		row: row{title: "an example", targets: []target{
			{against: "peer", figure: rateFigure, bound: 2},
			{against: "peer", figure: p99Figure, bound: 0.5},
			{against: millraceName, figure: allocsFigure, bound: 2},
		}},
		lines: []line{
			{contestant: "peer", runs: []measure.Run{
				{Messages: 1000, Elapsed: time.Second, P50: time.Millisecond, P99: 2 * time.Millisecond, AllocsPerItem: 7}}},
			{contestant: millraceName, runs: []measure.Run{
				{Messages: 5000, Elapsed: time.Second, P50: time.Microsecond, P99: 4 * time.Millisecond, AllocsPerItem: 1.5}}},
		},
	}}
}

func TestTableSaysWhatIsMet(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(table(example())), "\n")
	require.Equal(t, []string{
		"| an example | peer | 1,000 | 1.0 ms | 2.0 ms | 7 | 0.0 |  |  | 5x | rate >= 2x: met; p99 <= 0.5x: not met (2x) |",
		"|  | **Millrace** | 5,000 | 1.00 µs | 4.0 ms | 1.5 | 0.0 |  |  |  | allocations <= 2: met |",
	}, lines[2:])
	require.Equal(t, []string{"an example: p99 <= 0.5x against peer, and it is 2x"}, missed(example()))
}

func TestTableWithoutMillraceShowsTargetsOnly(t *testing.T) {
	outcomes := example()
	outcomes[0].lines = outcomes[0].lines[:1]
	require.Contains(t, table(outcomes), "|  | rate >= 2x; p99 <= 0.5x |")
	require.Empty(t, missed(outcomes))
}

func TestNumbersAreShort(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.333: "0.33", 1: "1", 1.5: "1.5", 9.87: "9.87", 20: "20", 23.04: "23", 23.46: "23.5", 1234567: "1,234,567",
	} {
		require.Equal(t, want, short(value))
	}
	for value, want := range map[time.Duration]string{
		0: "", 390: "0.39 µs", 98_700: "99 µs", 1_250_000: "1.2 ms", 2_500_000_000: "2.50 s",
	} {
		require.Equal(t, want, duration(value))
	}
}
