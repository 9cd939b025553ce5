package repotest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// parityPage lists the functions and the tests of a server's store with what is here for each.
const parityPage = "docs/parity.md"

var parityReason = regexp.MustCompile(`^(?:Not here yet|Cannot arise|Decided otherwise|Stays out): .{20,}`)

// declared are the names of the functions, methods and types of a file.
func declared(file sourceFile) (map[string]bool, error) {
	_, parsed, err := file.parse()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			names[d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					names[s.Name.Name] = true
				}
			}
		}
	}
	return names, nil
}

// checkPlaces returns one sentence for each file that there is not, and for each name that is not declared in the file
// that is named before it. given is how many files there are.
func checkPlaces(cell string, files map[string]sourceFile) (found []string, given int) {
	var names map[string]bool
	var in string
	for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
		name := match[1]
		if !strings.Contains(name, "/") {
			if !names[name] {
				found = append(found, fmt.Sprintf("there is no %s in %s", name, in))
			}
			continue
		}
		given++
		file, ok := files[name]
		if in, names = name, nil; !ok {
			found = append(found, "there is no file "+name)
			continue
		}
		var err error
		if names, err = declared(file); err != nil {
			found = append(found, err.Error())
		}
	}
	return found, given
}

// checkParity returns one sentence for each row of the page that is not numbered on from the one before, or names
// something twice, or that there is not, or neither a test nor a reason; and how many rows each kind of table has.
func checkParity(page sourceFile, files map[string]sourceFile, tests map[string]bool) (found []string, functions, asked int) {
	seen := map[string]bool{}
	numbers := map[int]int{} // by the number of cells
	for number, line := range strings.Split(page.text, "\n") {
		report := func(what string) { found = append(found, fmt.Sprintf("%s:%d: %s", page.path, number+1, what)) }
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| | ") || strings.HasPrefix(line, "|--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 4 && len(cells) != 5 {
			report(fmt.Sprintf("a row of %d cells", len(cells)))
			continue
		}
		numbers[len(cells)]++
		if want := numbers[len(cells)]; cells[0] != strconv.Itoa(want) {
			report(fmt.Sprintf("row %s comes where %d should", cells[0], want))
		}
		if seen[cells[1]] || len(cells[1]) < 3 || len(cells[2]) < 3 {
			report(cells[1] + ": there twice, or without a promise")
		}
		seen[cells[1]] = true
		last := cells[len(cells)-1]
		notHere := strings.HasPrefix(last, "Not here yet: ")
		if len(cells) == 5 {
			wrong, given := checkPlaces(cells[3], files)
			for _, what := range wrong {
				report(what)
			}
			if given == 0 && !notHere {
				report("no place")
			}
		}
		named := 0
		for _, match := range quoted.FindAllStringSubmatch(last, -1) {
			switch name := match[1]; {
			case strings.HasSuffix(name, "*") || strings.HasPrefix(name, "query-"): // rows of the comparison
			case !tests[name]:
				report("there is no test " + name)
			default:
				named++
			}
		}
		if named == 0 && !parityReason.MatchString(last) {
			report("neither a test nor a reason")
		}
		if strings.HasPrefix(last, "Stays out: ") && len(cells) == 5 {
			report("a function cannot stay out")
		}
	}
	return found, numbers[5], numbers[4]
}

func TestParityIsComplete(t *testing.T) {
	tests, err := testFunctions("../..")
	if err != nil {
		t.Fatal(err)
	}
	var page sourceFile
	files := map[string]sourceFile{}
	for _, file := range readTree(t) {
		switch {
		case file.path == parityPage:
			page = file
		case file.isGo() && !file.isTest():
			files[file.path] = file
		case strings.HasPrefix(file.path, "actors/rows_"):
			rows, err := rowTests(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range rows {
				tests[name] = true
			}
		}
	}
	found, functions, asked := checkParity(page, files, tests)
	for _, sentence := range found {
		t.Error(sentence)
	}
	if functions != 76 || asked != 64 {
		t.Errorf("%s has %d functions and %d tests, want 76 and 64", parityPage, functions, asked)
	}
}

func TestParityIsChecked(t *testing.T) {
	files := map[string]sourceFile{"a/b.go": {path: "a/b.go", text: "package a\n\nfunc (x *X) there() {}\n\ntype X int\n"}}
	tests := map[string]bool{"TestThere": true, "B.1 x: a": true}
	page := sourceFile{path: "p.md", text: strings.Join([]string{
		"| | function | what | here | test |", "|--:|---|---|---|---|",
		"| 1 | `one` | a promise | `a/b.go`: `there`, `X` | `TestThere`, `B.1 x: a` |",
		"| 3 | `two` | a promise | `a/b.go`: `gone`; `a/c.go`: `x` | `TestGone` |",
		"| 3 | `one` | a promise | | perhaps |",
		"| 4 | `four` | a promise | | Not here yet: it is still being built |",
		"| 5 | `five` | a promise | `a/b.go` | Stays out: it needs a running cluster |",
		"| 1 | `asks` | a question | `TestThere` |",
		"| 2 | `out` | a question | Stays out: it needs a running cluster |",
		"| 3 | `out of it` | a question | Stays out: why not |",
		"| 4 | short |",
	}, "\n")}
	want := []string{
		"p.md:4: row 3 comes where 2 should", "p.md:4: there is no gone in a/b.go", "p.md:4: there is no file a/c.go",
		"p.md:4: there is no x in a/c.go", "p.md:4: there is no test TestGone", "p.md:4: neither a test nor a reason",
		"p.md:5: `one`: there twice, or without a promise", "p.md:5: no place", "p.md:5: neither a test nor a reason",
		"p.md:7: a function cannot stay out", "p.md:10: neither a test nor a reason", "p.md:11: a row of 2 cells",
	}
	got, functions, asked := checkParity(page, files, tests)
	if !slices.Equal(got, want) || functions != 5 || asked != 3 {
		t.Errorf("got %q, %d and %d; want %q", got, functions, asked, want)
	}
}
