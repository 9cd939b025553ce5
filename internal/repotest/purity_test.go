package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pureImports is all that the engine may import: nothing here reads a clock, a random source, a file,
// the network or another goroutine.
var pureImports = []string{
	"bytes", "cmp", "container/heap", "container/list", "encoding/base64", "encoding/binary", "encoding/hex",
	"errors", "fmt", "hash", "hash/crc32", "hash/crc64", "hash/fnv", "iter", "maps", "math", "math/bits",
	"slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8", "unsafe",
}

// sharedFiles hold what readers on other goroutines look at while the engine goes on. They alone may use
// atomics.
var sharedFiles = []string{"engine/published.go", "engine/view.go", "engine/deletedsnapshot.go", "engine/tail.go"}

// clockUses are the names of package time that read a clock, start a timer or depend on the machine's
// zone; its types and arithmetic are welcome.
var clockUses = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Timer", "Ticker",
	"Local", "LoadLocation",
}

// checkPurity returns one sentence per construct that makes the engine anything but a function of its
// inputs.
func checkPurity(file sourceFile) []string {
	files, parsed, err := file.parse()
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	report := func(at token.Pos, what string) {
		found = append(found, fmt.Sprintf("%s: %s: engine takes time, randomness, I/O and concurrency as inputs", files.Position(at), what))
	}
	timeName := ""
	for _, spec := range parsed.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		switch {
		case (imported == "sync/atomic" || imported == "runtime") && slices.Contains(sharedFiles, file.path):
		case slices.Contains(sharedPackages, strings.TrimPrefix(imported, modulePath+"/")) || strings.HasPrefix(imported, modulePath+"/engine/"):
			// As pure as the engine: this test looks at them, too.
		case !slices.Contains(pureImports, imported):
			report(spec.Pos(), "imports "+imported)
		case imported == "time":
			timeName = "time"
			if spec.Name != nil {
				timeName = spec.Name.Name
			}
			if timeName == "." {
				report(spec.Pos(), "imports time with a dot")
			}
		}
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.GoStmt:
			report(n.Pos(), "a go statement")
		case *ast.SelectStmt:
			report(n.Pos(), "a select statement")
		case *ast.ChanType:
			report(n.Pos(), "a channel type")
		case *ast.SendStmt:
			report(n.Pos(), "a send to a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				report(n.Pos(), "a receive from a channel")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && slices.Contains(clockUses, n.Sel.Name) {
				report(n.Pos(), "uses time."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestEngineIsPure(t *testing.T) {
	for _, file := range readTree(t) {
		shared := slices.ContainsFunc(sharedPackages, func(name string) bool { return inFolder(file.path, name) })
		if !file.isGo() || file.isTest() || !shared && !inFolder(file.path, "engine") && !inFolder(file.path, "actors/consumer/internal/cursor") {
			continue
		}
		for _, finding := range checkPurity(file) {
			t.Error(finding)
		}
	}
}

func TestPurityCheckFindsPlantedViolations(t *testing.T) {
	const engineFile = "engine/engine.go"
	for _, row := range []struct {
		name, path, text string
		wrong            string // what the finding must name; "" for none
	}{
		{"plain code", engineFile, "import (\"errors\"; \"time\")\nvar e = errors.New(\"\")\nfunc f(t time.Time) time.Duration { return t.Sub(time.Time{}) }", ""},
		{"the published numbers", "engine/published.go", "import \"sync/atomic\"\nvar v atomic.Pointer[int]", ""},
		{"the list of blocks", "engine/view.go", "import _ \"sync/atomic\"", ""},
		{"the memory of the tail", "engine/tail.go", "import _ \"sync/atomic\"", ""},
		{"a name like the view's", "engine/view_more.go", "import _ \"sync/atomic\"", "sync/atomic"},
		{"a shared file's name elsewhere", "engine/subjects/view.go", "import _ \"sync/atomic\"", "sync/atomic"},
		{"a part of the engine", engineFile, "import _ \"" + modulePath + "/engine/subjects\"", ""},
		{"what all may import", engineFile, "import _ \"" + modulePath + "/internal/schedule\"", ""},
		{"another layer", engineFile, "import _ \"" + modulePath + "/blockio\"", "blockio"},
		{"a method called Now of our own", engineFile, "type clock struct{}\nfunc (clock) Now() int { return 1 }\nvar c clock\nvar n = c.Now()", ""},
		{"a word in a comment", engineFile, "// It never says go f() or select.\nvar x int", ""},
		{"go statement", engineFile, "func f() { go f() }", "go statement"},
		{"select", engineFile, "func f() { select {} }", "select"},
		{"channel type", engineFile, "type t struct { c chan int }", "channel type"},
		{"channel parameter", engineFile, "func f(c <-chan int) {}", "channel type"},
		{"send", engineFile, "func f[T any](c T) { c <- 1 }", "send"},
		{"receive", engineFile, "func f[T any](c T) { <-c }", "receive"},
		{"sync", engineFile, "import _ \"sync\"", "sync"},
		{"atomics outside the view", engineFile, "import _ \"sync/atomic\"", "sync/atomic"},
		{"context", engineFile, "import _ \"context\"", "context"},
		{"files", engineFile, "import _ \"os\"", "os"},
		{"randomness", engineFile, "import _ \"math/rand/v2\"", "math/rand"},
		{"crypto randomness", engineFile, "import _ \"crypto/rand\"", "crypto/rand"},
		{"a third party", engineFile, "import _ \"example.com/x\"", "example.com/x"},
		{"the clock", engineFile, "import \"time\"\nvar t = time.Now()", "time.Now"},
		{"the clock, renamed", engineFile, "import clock \"time\"\nvar t = clock.Since", "time.Since"},
		{"the clock, by a dot", engineFile, "import . \"time\"\nvar t = Now()", "dot"},
		{"a timer", engineFile, "import \"time\"\nfunc f() { time.AfterFunc(1, f) }", "time.AfterFunc"},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := strings.Join(checkPurity(sourceFile{path: row.path, text: "package engine\n\n" + row.text + "\n"}), "\n")
			if row.wrong == "" && found != "" {
				t.Errorf("found %s, want nothing", found)
			}
			if !strings.Contains(found, row.wrong) {
				t.Errorf("found %q, want a finding that names %q", found, row.wrong)
			}
		})
	}
}
