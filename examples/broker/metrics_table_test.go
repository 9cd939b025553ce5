package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// operationsPage is the page with the table of metrics.
var operationsPage = filepath.Join("..", "..", "docs", "operations.md")

// unitOf is the unit that the name of a metric says.
func unitOf(name string) string {
	base := strings.TrimSuffix(name, "_total")
	switch {
	case strings.HasSuffix(base, "_timestamp_seconds"):
		return "s since 1970"
	case strings.HasSuffix(base, "_seconds"):
		return "s"
	case strings.HasSuffix(base, "_bytes"):
		return "bytes"
	}
	return ""
}

// row is the line of a metric in the table.
func row(name string, f *family) string {
	labels := ""
	for _, l := range f.labels {
		labels += ", `" + l + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", name, f.kind, unitOf(name), strings.TrimPrefix(labels, ", "), strings.TrimSuffix(f.help, "."))
}

// TestEveryMetricIsInTheTable of the page for operators, as a scrape of the broker shows it, and no other is.
func TestEveryMetricIsInTheTable(t *testing.T) {
	page, err := os.ReadFile(operationsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n")
	table, _, ended := strings.Cut(table, "\n\n")
	if !found || !ended {
		t.Fatal("there is no table of metrics")
	}
	families := busySite(t).scrape()
	if _, tells := families["millrace_filesystem_free_bytes"]; !tells { // not on every system
		for _, name := range []string{"millrace_filesystem_free_bytes", "millrace_filesystem_size_bytes"} {
			families[name] = nil
		}
	}
	rows := strings.Split(table, "\n")
	var wanted []string
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		if f == nil {
			wanted = append(wanted, "| `"+name+"` |")
			continue
		}
		wanted = append(wanted, row(name, f))
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, want) }) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, row := range rows {
		if !slices.ContainsFunc(wanted, func(want string) bool { return strings.HasPrefix(row, want) }) {
			t.Errorf("nothing shows this: %s", row)
		}
	}
	if !slices.IsSorted(rows) {
		t.Error("the table is not sorted")
	}
}
