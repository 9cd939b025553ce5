package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pitfallsPage lists mistakes of others with the tests that would notice them.
const pitfallsPage = "docs/pitfalls.md"

var (
	namedTest  = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	pitfallRow = regexp.MustCompile(`^\| ([0-9]+) \| (.+) \| (.+) \|$`)
)

// checkPitfalls returns one sentence for each row that names no test and gives no reason, for each test that there
// is not, and for each number that is left out. A table begins with 1, or goes on with the number of the one before.
func checkPitfalls(page sourceFile, tests map[string]bool) []string {
	var found []string
	next := 1
	for number, line := range strings.Split(page.text, "\n") {
		row := pitfallRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		if row[1] == "1" {
			next = 1
		}
		if row[1] != fmt.Sprint(next) {
			found = append(found, fmt.Sprintf("%s:%d: row %s comes where %d should", page.path, number+1, row[1], next))
		}
		next++
		names := namedTest.FindAllStringSubmatch(row[3], -1)
		for _, name := range names {
			if !tests[name[1]] {
				found = append(found, fmt.Sprintf("%s:%d: there is no test %s", page.path, number+1, name[1]))
			}
		}
		if len(names) == 0 && !strings.HasPrefix(row[3], "Cannot arise: ") && !strings.HasPrefix(row[3], "Not here yet") {
			found = append(found, fmt.Sprintf("%s:%d: neither a test nor a reason", page.path, number+1))
		}
	}
	return found
}

// testFunctions are the names of the tests and fuzz targets below a folder, of nested modules as well.
func testFunctions(root string) (map[string]bool, error) {
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil &&
				(strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				names[f.Name.Name] = true
			}
		}
		return nil
	})
	return names, err
}

func TestPitfallsNameTestsThatExist(t *testing.T) {
	tests, err := testFunctions("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("../..", pitfallsPage))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pitfallRows(string(text))); n < 51+22+11 {
		t.Errorf("%s has %d rows", pitfallsPage, n)
	}
	for _, sentence := range checkPitfalls(sourceFile{path: pitfallsPage, text: string(text)}, tests) {
		t.Error(sentence)
	}
}

// pitfallRows are the lines that checkPitfalls looks at.
func pitfallRows(text string) (rows []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if pitfallRow.MatchString(line) {
			rows = append(rows, line)
		}
	}
	return rows
}

func TestPitfallsAreChecked(t *testing.T) {
	page := sourceFile{path: "p.md", text: strings.Join([]string{
		"| 1 | a | `TestThere` |", "| 2 | b | `TestGone` |", "| 4 | c | perhaps |", "| 1 | d | Not here yet |",
	}, "\n")}
	want := []string{
		"p.md:2: there is no test TestGone", "p.md:3: row 4 comes where 3 should", "p.md:3: neither a test nor a reason",
	}
	got := checkPitfalls(page, map[string]bool{"TestThere": true})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}
