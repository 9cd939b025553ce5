package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// outcome is what became of a mutation.
type outcome int

const (
	caught     outcome = iota // a test failed, or did not end
	survived                  // all tests passed
	tolerated                 // all tests passed, and the entry says why none can fail
	noCompile                 // the mutated code, or a test with it, does not compile
	noText                    // the old text is not in the file, or more than once
	noTests                   // the pattern matches no test
	unexpected                // a test caught what the entry says none can
)

var outcomeNames = [...]string{
	"caught", "SURVIVED", "survived, as it may", "does not compile", "old text not found", "no test to run",
	"caught, though it may survive",
}

func (o outcome) String() string { return outcomeNames[o] }

// good reports whether the outcome is the one that the list promises.
func (o outcome) good() bool { return o == caught || o == tolerated }

// result is the outcome of one entry.
type result struct {
	entry   entry
	outcome outcome
	// by is what caught it: the first test that failed, or that time was up.
	by   string
	took time.Duration
}

// mutator tries mutations in a copy of a module.
type mutator struct {
	dir     string
	timeout time.Duration
	out     io.Writer
}

// run tries the entries one after the other. Without any mutation the tests must pass: a test that
// fails anyhow would seem to catch everything.
func (m *mutator) run(ctx context.Context, entries []entry) ([]result, error) {
	if err := m.baseline(ctx, entries); err != nil {
		return nil, err
	}
	var results []result
	for i, e := range entries {
		r, err := m.try(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		results = append(results, r)
		_, _ = fmt.Fprintf(m.out, "[%d/%d] %-48s %s\n", i+1, len(entries), e.Name, r)
	}
	return results, nil
}

// String tells the outcome in one line.
func (r result) String() string {
	s := fmt.Sprintf("%s (%.1f s)", r.outcome, r.took.Seconds())
	if r.by != "" {
		s = fmt.Sprintf("%s by %s (%.1f s)", r.outcome, r.by, r.took.Seconds())
	}
	return s
}

// baseline runs the tests of all entries on the code as it is, once for each list of packages.
func (m *mutator) baseline(ctx context.Context, entries []entry) error {
	patterns := make(map[string][]string)
	var order []string
	for _, e := range entries {
		key := strings.Join(e.Packages, " ")
		if _, ok := patterns[key]; !ok {
			order = append(order, key)
		}
		if !slices.Contains(patterns[key], e.Run) {
			patterns[key] = append(patterns[key], e.Run)
		}
	}
	for _, key := range order {
		timeout := m.timeout * time.Duration(len(patterns[key]))
		output, err := m.test(ctx, strings.Fields(key), alternatives(patterns[key]), timeout)
		if err != nil {
			return fmt.Errorf("without a mutation, the tests of %s: %w\n%s", key, err, output)
		}
	}
	return nil
}

// alternatives makes one -run pattern of several. A slash parts a test from its subtests and cannot
// stand within a group, so that of a pattern with subtests only the test is taken.
func alternatives(patterns []string) string {
	var tests []string
	for _, p := range patterns {
		test, _, _ := strings.Cut(p, "/")
		tests = append(tests, "("+test+")")
	}
	return strings.Join(tests, "|")
}

// try applies one mutation, runs its tests, and takes it back.
func (m *mutator) try(ctx context.Context, e entry) (r result, err error) {
	r.entry = e
	name := filepath.Join(m.dir, filepath.FromSlash(e.File))
	before, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		r.outcome = noText
		return r, nil
	} else if err != nil {
		return r, err
	}
	mutated, err := e.apply(string(before))
	if err != nil {
		r.outcome = noText
		return r, nil
	}
	if err := os.WriteFile(name, []byte(mutated), 0o600); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.WriteFile(name, before, 0o600)) }()
	began := time.Now()
	output, err := m.test(ctx, e.Packages, e.Run, m.timeout)
	r.took = time.Since(began)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	r.outcome, r.by = judge(output, err, e.Survives != "")
	return r, nil
}

// test runs go test and returns what it printed. The error is that of a process that failed.
func (m *mutator) test(ctx context.Context, packages []string, pattern string, timeout time.Duration) ([]byte, error) {
	// Time to build comes on top of what the tests may take.
	ctx, cancel := context.WithTimeout(ctx, timeout+10*time.Minute)
	defer cancel()
	// Without -trimpath each copy of the module would be built anew and stay in the build cache. Vet
	// would refuse some mutants that a test has to catch.
	args := append([]string{
		"test", "-trimpath", "-vet=off", "-count=1", "-failfast", "-timeout=" + timeout.String(), "-run=" + pattern,
	}, packages...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = m.dir
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = 10 * time.Second
	err := command.Run()
	return output.Bytes(), err
}

var (
	notBuilt   = regexp.MustCompile(`(?m)^FAIL\t\S+ \[(build|setup) failed\]\r?$`)
	testsRan   = regexp.MustCompile(`(?m)^ok  \t\S+\t[0-9.]+s\r?$`) // nothing behind the time
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	timedOut   = regexp.MustCompile(`(?m)^panic: test timed out`)
	panicked   = regexp.MustCompile(`(?m)^(panic|fatal error): .*`)
)

// judge tells from the output of go test and its error what became of a mutation.
func judge(output []byte, err error, maySurvive bool) (o outcome, by string) {
	switch {
	case err == nil && !testsRan.Match(output):
		return noTests, ""
	case err == nil && maySurvive:
		return tolerated, ""
	case err == nil:
		return survived, ""
	case notBuilt.Match(output):
		return noCompile, ""
	}
	switch {
	case timedOut.Match(output):
		by = "the time limit"
	case failedTest.Match(output):
		by = lastOf(failedTest.FindAllSubmatch(output, -1))
	case panicked.Match(output):
		by = string(panicked.Find(output))
	default:
		by = "the end of the process"
	}
	if maySurvive {
		return unexpected, by
	}
	return caught, by
}

// lastOf returns the innermost test of the first one that failed: go test prints a test and then,
// indented, those within it.
func lastOf(matches [][][]byte) string {
	first := string(matches[0][1])
	for _, m := range matches[1:] {
		if within := string(m[1]); strings.HasPrefix(within, first+"/") {
			first = within
		}
	}
	return first
}

// report prints a summary. It reports whether every outcome is good.
func report(out io.Writer, results []result) bool {
	counts := make(map[outcome]int)
	var took time.Duration
	good := true
	for _, r := range results {
		counts[r.outcome]++
		took += r.took
		good = good && r.outcome.good()
	}
	_, _ = fmt.Fprintf(out, "\n%d mutations in %.0f s\n", len(results), took.Seconds())
	for o := range outcomeNames {
		o := outcome(o)
		if counts[o] == 0 {
			continue
		}
		_, _ = fmt.Fprintf(out, "%5d  %s\n", counts[o], o)
		for _, r := range results {
			if r.outcome != o || o == caught {
				continue
			}
			_, _ = fmt.Fprintf(out, "         %s (%s)", r.entry.Name, r.entry.File)
			if r.entry.Survives != "" {
				_, _ = fmt.Fprintf(out, ": %s", r.entry.Survives)
			}
			_, _ = fmt.Fprintln(out)
		}
	}
	return good
}
