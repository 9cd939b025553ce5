package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logPages are pages with a table of what the log says, and the folders whose code says it.
var logPages = map[string][]string{
	"docs/operations.md":        {"actors", "blockio", "engine", "metrics"},
	"examples/broker/README.md": {"examples/broker"},
}

// logMethods are the methods of a slog.Logger, and which argument of each is the message.
var logMethods = map[string]int{
	"Debug": 0, "Info": 0, "Warn": 0, "Error": 0, "DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2, "LogAttrs": 2,
}

// aLogger is the text of what has a method of a logger's.
var aLogger = regexp.MustCompile(`(?i)(log|logger|logger\(\)|slog|default\(\))$`)

// logMessages adds the messages that a file logs to a list, each with its level, and returns one sentence for each call whose
// message is not written out.
func logMessages(file sourceFile, constants, into map[string]string) (found []string, err error) {
	files, parsed, err := file.parse()
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		return file.text[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset]
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !aLogger.MatchString(text(method.X)) {
			return true
		}
		at, known := logMethods[method.Sel.Name]
		if !known || at >= len(call.Args) {
			return true
		}
		level := strings.ToUpper(strings.TrimSuffix(method.Sel.Name, "Context"))
		if at == 2 {
			level = strings.ToUpper(strings.TrimPrefix(text(call.Args[1]), "slog.Level"))
		}
		message, writtenOut := constantText(call.Args[at], constants)
		if !writtenOut {
			found = append(found, fmt.Sprintf("%s: the message of the log is not written out here", files.Position(call.Pos())))
			return true
		}
		into[message] = level
		return true
	})
	return found, nil
}

// noteConstants adds the texts of a file that have a name.
func noteConstants(file sourceFile, into map[string]string) error {
	_, parsed, err := file.parse()
	if err != nil {
		return err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
			for i, name := range spec.Names {
				if text, ok := constantText(spec.Values[i], nil); ok {
					into[name.Name] = text
				}
			}
		}
		return true
	})
	return nil
}

// constantText returns a text that is written out, perhaps in parts, or has a name.
func constantText(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		before, ok := constantText(e.X, constants)
		after, alsoOK := constantText(e.Y, constants)
		return before + after, ok && alsoOK
	}
	return "", false
}

// checkLogs returns one sentence for each message that the table of a page does not have with its level, and for each
// that nothing logs.
func checkLogs(page sourceFile, logged map[string]string) (found []string) {
	_, section, _ := strings.Cut(page.text, "\n## What the log says\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for _, match := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if rows[match[1]] != "" {
				found = append(found, fmt.Sprintf("%s: %q is there twice", page.path, match[1]))
			}
			rows[match[1]] = strings.TrimSpace(cells[1])
		}
	}
	for _, message := range slices.Sorted(maps.Keys(logged)) {
		if rows[message] != logged[message] {
			found = append(found, fmt.Sprintf("%s: %q is logged at %s, and the table has %q", page.path, message, logged[message], rows[message]))
		}
	}
	for _, message := range slices.Sorted(maps.Keys(rows)) {
		if logged[message] == "" {
			found = append(found, fmt.Sprintf("%s: nothing logs %q", page.path, message))
		}
	}
	return found
}

func TestEveryLogMessageIsExplained(t *testing.T) {
	tree := readTree(t)
	for _, page := range tree {
		folders := logPages[page.path]
		if folders == nil {
			continue
		}
		var code []sourceFile
		constants, logged := map[string]string{}, map[string]string{}
		for _, file := range tree {
			ours := func(folder string) bool { return inFolder(file.path, folder) }
			if !file.isGo() || file.isTest() || !slices.ContainsFunc(folders, ours) || inFolder(file.path, "examples/broker/browser") {
				continue
			}
			if err := noteConstants(file, constants); err != nil {
				t.Fatal(err)
			}
			code = append(code, file)
		}
		for _, file := range code {
			found, err := logMessages(file, constants, logged)
			if err != nil {
				t.Fatal(err)
			}
			for _, sentence := range found {
				t.Error(sentence)
			}
		}
		if len(logged) < 5 {
			t.Errorf("%s: found only %d messages", page.path, len(logged))
		}
		for _, sentence := range checkLogs(page, logged) {
			t.Error(sentence)
		}
	}
}

func TestLogMessagesAreChecked(t *testing.T) {
	logged := map[string]string{}
	found, err := logMessages(sourceFile{path: "a.go", text: `package a
func f() {
	s.log.Warn("one", "error", err)
	logger.Info("two, " +
		"in parts")
	s.log.Log(ctx, slog.LevelDebug, "three")
	s.config.Logger.ErrorContext(ctx, "four")
	s.log.Info(text)
	s.log.Info(named)
	t.Error("no log")
}
`}, map[string]string{"named": "seven"}, logged)
	if err != nil {
		t.Fatal(err)
	}
	page := sourceFile{path: "p.md", text: "\n## What the log says\n\n| level | message | meaning |\n|---|---|---|\n" +
		"| WARN | `one`, `five` | - |\n| WARN | `two, in parts` | `not this` |\n| DEBUG | `three`, `three` | - |\n| INFO | `seven` | - |\n## Else\n| INFO | `six` | - |\n"}
	want := []string{
		"a.go:8:2: the message of the log is not written out here", `p.md: "three" is there twice`, `p.md: "four" is logged at ERROR, and the table has ""`,
		`p.md: "two, in parts" is logged at INFO, and the table has "WARN"`, `p.md: nothing logs "five"`,
	}
	if got := append(found, checkLogs(page, logged)...); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
