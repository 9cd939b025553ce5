package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// behavioursPage lists behaviours with the subtests of their names.
const behavioursPage = "docs/behaviours.md"

var (
	rowName     = regexp.MustCompile(`^B\.[0-9.]+ [A-Za-z ]+: `)
	quoted      = regexp.MustCompile("`([^`]+)`")
	reasonOfRow = regexp.MustCompile(`^(?:Cannot arise|Decided otherwise|Not here): |^B\.[0-9.]+$|^all rows above`)
)

// rowTests are the names of subtests in a file that are named after rows.
func rowTests(file sourceFile) ([]string, error) {
	_, parsed, err := file.parse()
	if err != nil {
		return nil, err
	}
	var names []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		if text, ok := node.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if name, err := strconv.Unquote(text.Value); err == nil && rowName.MatchString(name) {
				names = append(names, name)
			}
		}
		return true
	})
	return names, nil
}

// checkBehaviours returns one sentence for each row of the page that names no test and gives no reason, for each test
// that there is not, for each row test that it does not name, and for each that there is twice.
func checkBehaviours(page sourceFile, rows []string, tests map[string]bool) []string {
	var found []string
	named := map[string]bool{}
	for number, line := range strings.Split(page.text, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 || strings.TrimSpace(cells[1]) == "here" {
			continue
		}
		tested := 0
		for _, match := range quoted.FindAllStringSubmatch(cells[1], -1) {
			switch name := match[1]; {
			case slices.Contains(rows, name):
				named[name] = true
			case !tests[name]:
				found = append(found, fmt.Sprintf("%s:%d: there is no test %s", page.path, number+1, name))
			}
			tested++
		}
		if tested == 0 && !reasonOfRow.MatchString(strings.TrimSpace(cells[1])) {
			found = append(found, fmt.Sprintf("%s:%d: neither a test nor a reason", page.path, number+1))
		}
	}
	for i, name := range rows {
		if !named[name] {
			found = append(found, fmt.Sprintf("%s: test %q is missing", page.path, name))
		}
		if slices.Contains(rows[:i], name) {
			found = append(found, fmt.Sprintf("there are two tests %q", name))
		}
	}
	return found
}

func TestBehavioursNameTheirTests(t *testing.T) {
	tests, err := testFunctions("../..")
	if err != nil {
		t.Fatal(err)
	}
	var page sourceFile
	var rows []string
	for _, file := range readTree(t) {
		switch {
		case file.path == behavioursPage:
			page = file
		case strings.HasPrefix(file.path, "actors/rows_") && file.isTest():
			names, err := rowTests(file)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, names...)
		}
	}
	if len(rows) < 250 {
		t.Errorf("found only %d rows", len(rows))
	}
	for _, sentence := range checkBehaviours(page, rows, tests) {
		t.Error(sentence)
	}
}

func TestBehavioursAreChecked(t *testing.T) {
	page := sourceFile{path: "b.md", text: strings.Join([]string{
		"| row | here |", "|---|---|", "| a | `B.1 x: a` |", "| b | `B.1 x: gone`, `TestThere` |", "| c | perhaps |", "| d | Not here: no d |",
	}, "\n")}
	rows, err := rowTests(sourceFile{path: "a_test.go", text: "package a\n\nvar _ = []string{\"B.1 x: a\", \"B.1 x: b\", \"B.1 x: b\", \"B: no\"}\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"b.md:4: there is no test B.1 x: gone", "b.md:5: neither a test nor a reason", `b.md: test "B.1 x: b" is missing`,
		`b.md: test "B.1 x: b" is missing`, `there are two tests "B.1 x: b"`,
	}
	got := checkBehaviours(page, rows, map[string]bool{"TestThere": true})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}
