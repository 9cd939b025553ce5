package repotest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A goBlock is one fenced Go block of a Markdown page.
type goBlock struct {
	page string
	line int // of its first line of code, from 1
	code string
}

// goBlocks extracts the blocks that a page marks as Go.
func goBlocks(page, text string) []goBlock {
	var blocks []goBlock
	var code []string
	start := 0
	for number, line := range strings.Split(text, "\n") {
		fence := strings.TrimSpace(line)
		switch {
		case start == 0 && fence == "```go":
			start, code = number+2, nil
		case start != 0 && fence == "```":
			blocks = append(blocks, goBlock{page: page, line: start, code: strings.Join(code, "\n") + "\n"})
			start = 0
		case start != 0:
			code = append(code, line)
		}
	}
	return blocks
}

// fragmentImports are the packages that a fragment may name without importing them, as a reader would
// take for granted.
var fragmentImports = map[string]string{
	"actor":      "github.com/asynkron/protoactor-go/actor",
	"actors":     modulePath + "/actors",
	"metrics":    modulePath + "/metrics",
	"blockio":    modulePath + "/blockio",
	"engine":     modulePath + "/engine",
	"prometheus": clientGolang + "/prometheus",
	"promhttp":   clientGolang + "/prometheus/promhttp",
	"bytes":      "bytes", "context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "log": "log",
	"os": "os", "slog": "log/slog", "strings": "strings", "time": "time",
}

// fragmentParameters are the values that a fragment may use without making them, with their types.
var fragmentParameters = [][2]string{
	{"ctx", "context.Context"}, {"system", "*actor.ActorSystem"}, {"store", "*actors.Store"}, {"payload", "[]byte"},
}

// source makes a compilable file of a block: a program or a file stands as it is, declarations get a
// package clause, statements get a function around them.
func (b goBlock) source() (string, error) {
	position := fmt.Sprintf("//line %s:%d\n", b.page, b.line)
	files := token.NewFileSet()
	if _, err := parser.ParseFile(files, b.page, b.code, parser.PackageClauseOnly); err == nil {
		return position + b.code, nil
	}
	if _, err := parser.ParseFile(files, b.page, "package readme\n"+b.code, 0); err == nil {
		return withImports("package readme\n", position+b.code), nil
	}
	var parameters []string
	for _, parameter := range fragmentParameters {
		if regexp.MustCompile(`\b` + parameter[0] + `\b`).MatchString(b.code) {
			parameters = append(parameters, parameter[0]+" "+parameter[1])
		}
	}
	body := "func _(" + strings.Join(parameters, ", ") + ") error {\n{\n" + position + b.code
	parsed, err := parser.ParseFile(files, b.page, "package readme\n"+body+"}\nreturn nil\n}\n", parser.SkipObjectResolution)
	if err != nil {
		return "", fmt.Errorf("%s:%d: neither a program, nor declarations, nor statements: %w", b.page, b.line, err)
	}
	for _, name := range declaredAtTop(parsed) {
		body += "_ = " + name + "\n"
	}
	return withImports("package readme\n", body+"}\nreturn nil\n}\n"), nil
}

// withImports puts the imports that code needs between a package clause and code.
func withImports(clause, code string) string {
	parsed, err := parser.ParseFile(token.NewFileSet(), "", clause+code, parser.SkipObjectResolution)
	if err != nil {
		return clause + code
	}
	imported := importedPaths(parsed)
	used := map[string]bool{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	var lines []string
	for name, full := range fragmentImports {
		if used[name] && !slices.Contains(imported, full) {
			lines = append(lines, fmt.Sprintf("import %s %q\n", name, full))
		}
	}
	slices.Sort(lines)
	return clause + strings.Join(lines, "") + code
}

// declaredAtTop names the variables that the statements of a fragment declare at their outermost
// level: a fragment may leave them unused, since the text goes on where it stops.
func declaredAtTop(file *ast.File) []string {
	function := file.Decls[len(file.Decls)-1].(*ast.FuncDecl)
	block, ok := function.Body.List[0].(*ast.BlockStmt)
	if !ok {
		return nil
	}
	var names []string
	add := func(expression ast.Expr) {
		if name, ok := expression.(*ast.Ident); ok && name.Name != "_" && !slices.Contains(names, name.Name) {
			names = append(names, name.Name)
		}
	}
	for _, statement := range block.List {
		switch s := statement.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				for _, left := range s.Lhs {
					add(left)
				}
			}
		case *ast.ReturnStmt:
			return names
		case *ast.DeclStmt:
			if declaration, ok := s.Decl.(*ast.GenDecl); ok && declaration.Tok == token.VAR {
				for _, spec := range declaration.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						add(name)
					}
				}
			}
		}
	}
	return names
}

// compileBlocks builds each block as a package of this module. The packages exist only in a build
// overlay: nothing is written into the tree, and no module is looked up.
func compileBlocks(t *testing.T, blocks []goBlock) error {
	t.Helper()
	root, err := filepath.Abs(repositoryRoot)
	if err != nil {
		return err
	}
	scratch := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var programs, libraries []string
	for i, block := range blocks {
		source, err := block.source()
		if err != nil {
			return err
		}
		written := filepath.Join(scratch, fmt.Sprintf("block%d.go", i))
		if err := os.WriteFile(written, []byte(source), 0o600); err != nil {
			return err
		}
		folder := fmt.Sprintf("readme_block_%d", i)
		overlay.Replace[filepath.Join(root, "internal", "repotest", folder, "block.go")] = written
		if isProgram(source) {
			programs = append(programs, "./internal/repotest/"+folder)
		} else {
			libraries = append(libraries, "./internal/repotest/"+folder)
		}
	}
	encoded, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, "overlay.json"), encoded, 0o600); err != nil {
		return err
	}
	flags := []string{"build", "-overlay", filepath.Join(scratch, "overlay.json")}
	if len(programs) > 0 {
		// A folder to write to: `go build` would put a lone program into the tree.
		output := filepath.Join(scratch, "bin") + string(filepath.Separator)
		if err := goCommand(t, root, append(append(slices.Clone(flags), "-o", output), programs...)); err != nil {
			return err
		}
	}
	if len(libraries) > 0 {
		return goCommand(t, root, append(flags, libraries...))
	}
	return nil
}

// isProgram tells a package main from the rest.
func isProgram(source string) bool {
	parsed, err := parser.ParseFile(token.NewFileSet(), "", source, parser.PackageClauseOnly)
	return err == nil && parsed.Name.Name == "main"
}

// goCommand runs the go tool at the root, offline: what the blocks import, the module has already.
func goCommand(t *testing.T, root string, arguments []string) error {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", arguments[0], err, output)
	}
	return nil
}

func TestReadmeBlocksCompile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repositoryRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlocks("README.md", string(text))
	if len(blocks) == 0 {
		t.Fatal("README.md has no Go block: a new user looks for one")
	}
	if err := compileBlocks(t, blocks); err != nil {
		t.Error(err)
	}
	if fences := regexp.MustCompile("(?m)^\\s*```(Go|golang)\\s*$").FindAllString(string(text), -1); len(fences) > 0 {
		t.Errorf("README.md marks %d blocks as %q, which this test does not read; write ```go", len(fences), fences)
	}
}

func TestReadmeCheckFindsPlantedViolations(t *testing.T) {
	const page = "text\n\n```go\n%s\n```\n\n```sh\nnot go\n```\n"
	for _, row := range []struct {
		name, code string
		wrong      string // what the failure must name; "" for none
	}{
		{"a program", "package main\n\nfunc main() { println(1) }", ""},
		{"declarations", "func size(b []byte) int { return len(b) }", ""},
		{"statements that leave a variable unused", "n := len(\"a\")", ""},
		{"statements that end by a return", "if err := ctx.Err(); err != nil {\n\treturn err\n}", ""},
		{"an import that is taken for granted", "fmt.Println(errors.New(\"x\"), time.Second)", ""},
		{"a name that does not exist", "fmt.Printline(1)", "README.md:3"},
		{"a type error in a program", "package main\n\nfunc main() { var s string = 1; _ = s }", "README.md:5"},
		{"a program that uses a package it does not import", "package main\n\nfunc main() { fmt.Println() }", "undefined: fmt"},
		{"no Go at all", "do this, then that", "neither a program"},
	} {
		t.Run(row.name, func(t *testing.T) {
			blocks := goBlocks("README.md", fmt.Sprintf(strings.ReplaceAll(page, "text\n", ""), row.code))
			if len(blocks) != 1 || blocks[0].line != 3 {
				t.Fatalf("extracted %+v, want one block at line 3", blocks)
			}
			err := compileBlocks(t, blocks)
			switch {
			case row.wrong == "" && err != nil:
				t.Errorf("%v, want it to compile", err)
			case row.wrong != "" && err == nil:
				t.Errorf("it compiled, want a failure that names %q", row.wrong)
			case row.wrong != "" && !strings.Contains(err.Error(), row.wrong):
				t.Errorf("%v, want it to name %q", err, row.wrong)
			}
		})
	}
}
