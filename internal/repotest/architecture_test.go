package repotest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fileName is the name of a file in a text, such as engine/commit.go or store_*.go.
var fileName = regexp.MustCompile(`[\w*./-]*[\w*]\.(?:go|md|txt|svg)\b`)

// codeSpan is `text` in a page.
var codeSpan = regexp.MustCompile("`([^`]+)`")

// missingFiles returns the file names of a text that name no file of the tree: with a slash, from its
// root; without, in any folder.
func missingFiles(text string, tree []string) []string {
	var missing []string
	for _, name := range fileName.FindAllString(text, -1) {
		there := slices.ContainsFunc(tree, func(file string) bool {
			if !strings.Contains(name, "/") {
				file = path.Base(file)
			}
			matched, err := path.Match(name, file)
			return err == nil && matched
		})
		if !there {
			missing = append(missing, name)
		}
	}
	return missing
}

// inFile are the two ways in which the page says what of a file it means: `engine/limits.go` (`enforce`),
// and `enforce` in `engine/limits.go`.
var inFile = []struct {
	pattern    *regexp.Regexp
	file, name int // which of the pattern's groups
}{
	{regexp.MustCompile("`([\\w/]+\\.go)` \\(`(\\w+)`"), 1, 2},
	{regexp.MustCompile("`(\\w+)` in `([\\w/]+\\.go)`"), 2, 1},
}

// misplaced returns what a page says of a file of ours that is not declared there.
func misplaced(page string, text func(file string) string) []string {
	var found []string
	for _, way := range inFile {
		for _, match := range way.pattern.FindAllStringSubmatch(strings.ReplaceAll(page, "\n", " "), -1) {
			file, name := match[way.file], match[way.name]
			declared := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type )` + name + `\b`)
			if !declared.MatchString(text(file)) {
				found = append(found, fmt.Sprintf("%s does not declare %s", file, name))
			}
		}
	}
	return found
}

// importsInPage returns the packages that the page's table of rooms lists, each with what it imports.
func importsInPage(page string) map[string][]string {
	rooms := make(map[string][]string)
	for line := range strings.SplitSeq(page, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		name := codeSpan.FindStringSubmatch(cells[0])
		if len(cells) != 3 || name == nil || strings.Contains(cells[0], ".") {
			continue
		}
		imports := []string{}
		for _, match := range codeSpan.FindAllStringSubmatch(cells[2], -1) {
			imports = append(imports, match[1])
		}
		rooms[name[1]] = imports
	}
	return rooms
}

// checkRooms returns a sentence for each package that the page does not name, and for each wall that its
// table has otherwise than the test of imports.
func checkRooms(page string, packages []string, walls map[string][]string) []string {
	var found []string
	for _, name := range packages {
		if !strings.Contains(page, "`"+name+"`") {
			found = append(found, fmt.Sprintf("docs/architecture.md does not name the package %s", name))
		}
	}
	table := importsInPage(page)
	for name, imports := range walls {
		wanted, got := slices.Sorted(slices.Values(imports)), slices.Sorted(slices.Values(table[name]))
		if _, listed := table[name]; !listed || !slices.Equal(wanted, got) {
			found = append(found, fmt.Sprintf("docs/architecture.md says that %s imports %q; its walls allow %q", name, got, wanted))
		}
	}
	return found
}

func TestArchitecturePageIsOfThisTree(t *testing.T) {
	pages := make(map[string]string)
	var files, packages []string
	for _, file := range readTree(t) {
		files = append(files, file.path)
		folder := path.Dir(file.path)
		nested := inFolder(file.path, "examples/compare") || inFolder(file.path, "examples/jetstream")
		if file.isGo() && !file.isTest() && !nested && !slices.Contains(packages, folder) {
			packages = append(packages, folder)
		}
		if file.path == "docs/architecture.md" || file.path == "docs/architecture.txt" {
			pages[file.path] = file.text
		}
	}
	// The transcripts and the drawing are no sources, and so not in the tree that is read.
	for _, name := range []string{"docs/*.svg", "engine/testdata/transcripts/*.txt"} {
		more, err := filepath.Glob(filepath.Join(repositoryRoot, filepath.FromSlash(name)))
		if err != nil || len(more) == 0 {
			t.Fatalf("no %s: %v", name, err)
		}
		for _, file := range more {
			files = append(files, path.Join(path.Dir(name), filepath.Base(file)))
		}
	}
	if len(pages) != 2 {
		t.Fatal("docs/architecture.md or docs/architecture.txt is gone")
	}
	for name, text := range pages {
		for _, missing := range missingFiles(markdownLink.ReplaceAllString(text, "]"), files) {
			t.Errorf("%s: there is no file %s", name, missing)
		}
	}
	text := func(file string) string {
		content, err := os.ReadFile(filepath.Join(repositoryRoot, filepath.FromSlash(file)))
		if err != nil {
			t.Error(err)
		}
		return string(content)
	}
	for _, finding := range misplaced(pages["docs/architecture.md"], text) {
		t.Errorf("docs/architecture.md: %s", finding)
	}
	for _, finding := range checkRooms(pages["docs/architecture.md"], packages, walls) {
		t.Error(finding)
	}
}

// TestArchitecturePageAnswers: the questions that the page was written for are in it, each with files.
func TestArchitecturePageAnswers(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repositoryRoot, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{
		"Where is decided what a limit evicts?", "What is written in one sync?", "What happens after a failed sync?",
		"How does a filtered scan skip a block?", "Where does a removal go?", "Where is S2?",
	} {
		_, answer, found := strings.Cut(string(page), "| "+question+" |")
		answer, _, _ = strings.Cut(answer, "\n")
		if !found || len(fileName.FindAllString(answer, -1)) < 3 {
			t.Errorf("no answer by file name to %q", question)
		}
	}
}

func TestArchitectureChecksFindPlantedViolations(t *testing.T) {
	tree := []string{"engine/commit.go", "engine/command_stop.go", "docs/a.md"}
	for _, row := range []struct {
		text string
		want []string
	}{
		{"in `engine/commit.go` and a commit.go. It", nil},
		{"`command_*.go` and `engine/command_*.go`", nil},
		{"see [a.md](a.md)", nil},
		{"in `engine/comit.go`", []string{"engine/comit.go"}},
		{"in `commit.go` and blockio/commit.go", []string{"blockio/commit.go"}},
		{"protocol_*.go", []string{"protocol_*.go"}},
	} {
		if got := missingFiles(row.text, tree); !slices.Equal(got, row.want) {
			t.Errorf("%q: found %q, want %q", row.text, got, row.want)
		}
	}
	source := func(string) string { return "func (e *Engine) enforce() {\n\ttype x int\n}\n" }
	for text, wrong := range map[string]bool{
		"`engine/limits.go` (`enforce`: MaxMsgs)": false, "(`enforce` in\n`engine/limits.go`)": false,
		"`engine/limits.go` (`expire`)": true, "`x` in `engine/limits.go`": true,
	} {
		if found := misplaced(text, source); wrong != (len(found) > 0) {
			t.Errorf("%q: found %q, want a finding: %v", text, found, wrong)
		}
	}
	page := "| package | holds | imports |\n|---|---|---|\n| `engine` | it, and more | `subjects` |\n| `subjects` | it | none |\n"
	allowed := map[string][]string{"engine": {"subjects"}, "subjects": {}}
	if found := checkRooms(page, []string{"engine"}, allowed); len(found) != 0 {
		t.Errorf("found %q in a right page", found)
	}
	if found := checkRooms(page, []string{"engine", "actors"}, allowed); len(found) != 1 {
		t.Errorf("found %q, want the package that is not named", found)
	}
	allowed["subjects"] = []string{"engine"}
	if found := checkRooms(page, nil, allowed); len(found) != 1 {
		t.Errorf("found %q, want the wall that differs", found)
	}
}
