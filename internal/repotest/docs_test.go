package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// metricPrefix begins the name of every metric, and nothing else in the documentation.
const metricPrefix = "millrace_"

var metricName = regexp.MustCompile(`\b` + metricPrefix + `[a-z0-9_]+`)

// metricNames lists the metrics that metrics/names.go describes: the first argument of the calls there.
func metricNames(names sourceFile) ([]string, error) {
	_, parsed, err := names.parse()
	if err != nil {
		return nil, err
	}
	var found []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		function, ok := call.Fun.(*ast.Ident)
		if !ok || !slices.Contains([]string{"gauge", "total", "describe", "describeRuntime"}, function.Name) {
			return true
		}
		if name, ok := call.Args[0].(*ast.BasicLit); ok && name.Kind == token.STRING {
			if text, err := strconv.Unquote(name.Value); err == nil {
				found = append(found, metricPrefix+text)
			}
		}
		return true
	})
	return found, nil
}

// checkMetricNames returns one sentence per metric that a page names and nobody serves.
func checkMetricNames(page sourceFile, known []string) []string {
	var found []string
	for number, line := range strings.Split(page.text, "\n") {
		for _, name := range metricName.FindAllString(line, -1) {
			bare := name
			for _, part := range []string{"_bucket", "_sum", "_count"} { // of a histogram
				bare = strings.TrimSuffix(bare, part)
			}
			if !slices.Contains(known, name) && !slices.Contains(known, bare) {
				found = append(found, fmt.Sprintf("%s:%d: there is no metric %s", page.path, number+1, name))
			}
		}
	}
	return found
}

func TestDocumentedMetricsExist(t *testing.T) {
	tree := readTree(t)
	var known []string
	for _, file := range tree {
		switch {
		case !file.isGo() || file.isTest():
		case inFolder(file.path, "metrics"):
			names, err := metricNames(file)
			if err != nil {
				t.Fatal(err)
			}
			if known = append(known, names...); file.path == "metrics/build.go" {
				known = append(known, metricName.FindAllString(file.text, -1)...)
			}
		case strings.HasPrefix(file.path, "examples/broker/") && strings.HasSuffix(file.path, "metrics.go"):
			known = append(known, metricName.FindAllString(file.text, -1)...)
		}
	}
	if len(known) < 60 {
		t.Fatalf("only %d metrics found: %q", len(known), known)
	}
	for _, page := range tree {
		if strings.HasSuffix(page.path, ".md") || page.path == "metrics/doc.go" {
			for _, finding := range checkMetricNames(page, known) {
				t.Error(finding)
			}
		}
	}
}

// markdownLink is [text](target) in a line, which is all that the documentation uses.
var markdownLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// checkLinks returns one sentence per relative link of a page that leads nowhere. exists tells whether a
// path from the root is there, text is what stands in it.
func checkLinks(page sourceFile, exists func(string) bool, text func(string) string) []string {
	var found []string
	report := func(number int, target, what string) {
		found = append(found, fmt.Sprintf("%s:%d: the link to %s leads nowhere: %s", page.path, number+1, target, what))
	}
	fenced := false
	for number, line := range strings.Split(page.text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		for _, match := range markdownLink.FindAllStringSubmatch(line, -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") { // another place, with a scheme
				continue
			}
			file := page.path
			if target != "" {
				file = path.Join(path.Dir(page.path), target)
			}
			switch {
			case strings.HasPrefix(file, "../") || path.IsAbs(target):
				report(number, match[1], "it is outside of the repository")
			case !exists(file):
				report(number, match[1], "there is no "+file)
			case fragment != "" && strings.HasSuffix(file, ".md") && !slices.Contains(anchors(text(file)), fragment):
				report(number, match[1], file+" has no such heading")
			}
		}
	}
	return found
}

// anchors are the names that the headings of a page can be linked by.
func anchors(text string) []string {
	var found []string
	for line := range strings.SplitSeq(text, "\n") {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading)))
	}
	return found
}

func TestLinksResolve(t *testing.T) {
	inRepository := func(name string) string { return filepath.Join(repositoryRoot, filepath.FromSlash(name)) }
	exists := func(name string) bool {
		_, err := os.Stat(inRepository(name))
		return err == nil
	}
	text := func(name string) string {
		content, err := os.ReadFile(inRepository(name))
		if err != nil {
			t.Error(err)
		}
		return string(content)
	}
	pages := 0
	for _, page := range readTree(t) {
		if !strings.HasSuffix(page.path, ".md") {
			continue
		}
		pages++
		for _, finding := range checkLinks(page, exists, text) {
			t.Error(finding)
		}
	}
	if pages < 3 {
		t.Errorf("only %d pages found", pages)
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	for _, folder := range []string{"docs", "docs/decisions"} {
		index, err := os.ReadFile(filepath.Join(repositoryRoot, filepath.FromSlash(folder), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range readTree(t) {
			if path.Dir(page.path) == folder && path.Base(page.path) != "README.md" &&
				!strings.Contains(string(index), "("+path.Base(page.path)+")") {
				t.Errorf("%s/README.md does not name %s", folder, page.path)
			}
		}
	}
}

func TestDocsChecksFindPlantedViolations(t *testing.T) {
	known, err := metricNames(sourceFile{path: "metrics/names.go", text: `package metrics

var a, b = gauge("messages", "x", nil), describe("commit_seconds", "y")
`})
	if err != nil || !slices.Equal(known, []string{"millrace_messages", "millrace_commit_seconds"}) {
		t.Fatalf("%q, %v", known, err)
	}
	there := map[string]string{"README.md": "# Top\n\n## Ten lines, `code`\n", "docs/a.md": "# A\n", "engine": ""}
	exists := func(name string) bool { _, ok := there[name]; return ok }
	text := func(name string) string { return there[name] }
	for _, row := range []struct {
		name, path, text string
		wrong            bool
	}{
		{"a metric", "docs/a.md", "alert on `millrace_messages`", false},
		{"a part of a histogram", "docs/a.md", "rate(millrace_commit_seconds_bucket[5m])", false},
		{"the lock file is none", "docs/a.md", "millrace.lock", false},
		{"a metric that is not there", "docs/a.md", "alert on `millrace_massages`", true},
		{"a link from the root", "README.md", "[a](docs/a.md)", false},
		{"a link to a folder", "README.md", "[engine](engine)", false},
		{"a link from a page", "docs/a.md", "[top](../README.md)", false},
		{"a heading", "docs/a.md", "[top](../README.md#ten-lines-code)", false},
		{"a heading of its own page", "README.md", "# B c\n\n[b](#top)", false},
		{"another site", "README.md", "[x](https://example.com/docs/none.md)", false},
		{"code", "README.md", "```go\na[i](none.md)\n```", false},
		{"a page that is not there", "README.md", "see [b](docs/b.md).", true},
		{"a page relative to the wrong folder", "docs/a.md", "[a](docs/a.md)", true},
		{"a heading that is not there", "docs/a.md", "[top](../README.md#bottom)", true},
		{"a page outside", "README.md", "[x](../other/README.md)", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := sourceFile{path: row.path, text: row.text}
			found := append(checkMetricNames(page, known), checkLinks(page, exists, text)...)
			if row.wrong != (len(found) > 0) {
				t.Errorf("found %q, want a finding: %v", found, row.wrong)
			}
		})
	}
}
