package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tiny copies the small module of testdata and returns the folder.
func tiny(t *testing.T) string {
	t.Helper()
	root := filepath.Join("testdata", "tiny")
	var files []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, err = filepath.Rel(root, name)
			files = append(files, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := copyModule(root, append(files, "deleted.go"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func tinyEntries(t *testing.T, pattern string) []entry {
	t.Helper()
	all, err := readEntries(filepath.Join("testdata", "tiny.txt"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := choose(all, regexp.MustCompile(pattern), "1/1")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestEveryOutcomeIsToldFromTheOthers(t *testing.T) {
	dir := tiny(t)
	m := mutator{dir: dir, timeout: time.Minute, out: io.Discard}
	entries := tinyEntries(t, "^(caught|survives|panics|does not compile|text|file|no test)")
	results, err := m.run(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		outcome outcome
		by      string
	}{
		"caught":                       {caught, "TestSum"},
		"survives":                     {survived, ""},
		"survives with a reason":       {tolerated, ""},
		"caught though it may survive": {unexpected, "TestMost"},
		"panics":                       {caught, "TestMost"},
		"does not compile":             {noCompile, ""},
		"text is missing":              {noText, ""},
		"text is there twice":          {noText, ""},
		"file is missing":              {noText, ""},
		"no test":                      {noTests, ""},
	}
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d", len(results), len(want))
	}
	for _, r := range results {
		w, ok := want[r.entry.Name]
		if !ok || r.outcome != w.outcome || r.by != w.by {
			t.Errorf("%s: %v by %q, want %v by %q", r.entry.Name, r.outcome, r.by, w.outcome, w.by)
		}
	}
	for _, name := range []string{"go.mod", "sum.go", "sum_test.go"} {
		before, err := os.ReadFile(filepath.Join("testdata", "tiny", name))
		if err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s is not as it was (%v)", name, err)
		}
	}
}

func TestATestThatDoesNotEndCatches(t *testing.T) {
	m := mutator{dir: tiny(t), timeout: time.Second, out: io.Discard}
	r, err := m.try(t.Context(), tinyEntries(t, "^does not end$")[0])
	if err != nil || r.outcome != caught || r.by != "the time limit" {
		t.Fatalf("%v by %q, %v", r.outcome, r.by, err)
	}
}

func TestNothingIsTriedOnTestsThatFailAnyhow(t *testing.T) {
	dir := tiny(t)
	broken := []byte("package tiny\n\nimport \"testing\"\n\nfunc TestSumToo(t *testing.T) { t.Fatal(\"always\") }\n")
	if err := os.WriteFile(filepath.Join(dir, "broken_test.go"), broken, 0o600); err != nil {
		t.Fatal(err)
	}
	m := mutator{dir: dir, timeout: time.Minute, out: io.Discard}
	results, err := m.run(t.Context(), tinyEntries(t, "^caught$"))
	if err == nil || !strings.Contains(err.Error(), "TestSumToo") || results != nil {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestReportFailsForWhatIsNotAsTheListSays(t *testing.T) {
	named := func(name string, o outcome) result { return result{entry: entry{Name: name}, outcome: o} }
	for o := range outcomeNames {
		o := outcome(o)
		var out strings.Builder
		good := report(&out, []result{named("one", caught), named("two", o)})
		if want := o == caught || o == tolerated; good != want {
			t.Errorf("%v: good %v", o, good)
		}
		if !strings.Contains(out.String(), o.String()) || o != caught && !strings.Contains(out.String(), "two") {
			t.Errorf("%v: the report is\n%s", o, out.String())
		}
	}
}

func TestListsThatCannotBeRead(t *testing.T) {
	const good = "name: a\nfile: f\ntest: .\nrun: T\nold:\nx\nnew:\ny\nend\n"
	if _, err := parseEntries(good); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, text, want string }{
		{"a name that is there twice", good + good, "18: a second mutation named a"},
		{"no name", strings.Replace(good, "name: a\n", "", 1), "8: mutation : no name"},
		{"no file", strings.Replace(good, "file: f\n", "", 1), "no file"},
		{"no packages", strings.Replace(good, "test: .\n", "", 1), "no packages"},
		{"no tests", strings.Replace(good, "run: T\n", "", 1), "no tests"},
		{"no old text", strings.Replace(good, "x\n", "", 1), "no old text"},
		{"no change", strings.Replace(good, "x", "y", 1), "the new text is the old one"},
		{"a pattern that is none", strings.Replace(good, "run: T", "run: (", 1), "missing closing"},
		{"an unknown key", "nam: a\n" + good, "1: \"nam: a\""},
		{"no end", strings.TrimSuffix(good, "end\n"), "has no end"},
		{"no old", "name: a\n", "has no end"},
		{"no end before the next one", strings.TrimSuffix(good, "end\n") + good, "has no end"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := parseEntries(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
}

func TestShardsAreThePartsOfTheWhole(t *testing.T) {
	all := tinyEntries(t, "")
	seen := make(map[string]int)
	for _, shard := range []string{"1/3", "2/3", "3/3"} {
		entries, err := choose(all, regexp.MustCompile(""), shard)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seen[e.Name]++
		}
	}
	for _, e := range all {
		if seen[e.Name] != 1 {
			t.Errorf("%s is in %d shards", e.Name, seen[e.Name])
		}
	}
	for _, shard := range []string{"", "0/3", "4/3", "1", "a/b", "1/0"} {
		if _, err := choose(all, regexp.MustCompile(""), shard); err == nil {
			t.Errorf("%q is taken for a shard", shard)
		}
	}
	if _, err := choose(all, regexp.MustCompile("^nothing$"), "1/1"); err == nil {
		t.Error("nothing is chosen, and nobody is told")
	}
}
