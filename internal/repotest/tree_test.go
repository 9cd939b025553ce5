package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/seed-d8b58eba/millrace"

// repositoryRoot is the folder that holds go.mod, seen from this package's folder.
const repositoryRoot = "../.."

// sourceFile is one file of the repository: its slash-separated path from the root, and its text.
type sourceFile struct {
	path string
	text string
}

func (f sourceFile) isGo() bool   { return strings.HasSuffix(f.path, ".go") }
func (f sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// parse reads a Go file with its comments.
func (f sourceFile) parse() (*token.FileSet, *ast.File, error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, f.path, f.text, parser.ParseComments|parser.SkipObjectResolution)
	return files, parsed, err
}

// isKeptOut names the folders that are not source: version control, test data, what runs leave behind.
func isKeptOut(name string) bool {
	return name == "testdata" || name == "data" || name == "bin" || name == "node_modules" ||
		(strings.HasPrefix(name, ".") && name != "." && name != ".ci" && name != ".github")
}

// readTree reads every source and text file of the repository, nested modules included.
func readTree(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(repositoryRoot, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(repositoryRoot, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if isKeptOut(entry.Name()) && relative != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || !isText(relative) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, sourceFile{path: filepath.ToSlash(relative), text: string(text)})
		return nil
	})
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	if len(files) < 5 {
		t.Fatalf("only %d files found below %s: the walk is broken", len(files), repositoryRoot)
	}
	return files
}

// isText tells the files that people write: by ending, or by name where there is none.
func isText(name string) bool {
	base := path.Base(filepath.ToSlash(name))
	switch filepath.Ext(base) {
	case ".go", ".md", ".mod", ".sh", ".yml", ".yaml", ".json", ".html", ".css", ".js", ".s", ".toml", ".txt":
		return true
	}
	return base == "Makefile" || base == "run" || base == "LICENSE"
}

// importedPaths lists what a file imports.
func importedPaths(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, name)
		}
	}
	return paths
}

// inFolder reports whether the file at name lies in folder or below it.
func inFolder(name, folder string) bool {
	return strings.HasPrefix(name, folder+"/")
}
