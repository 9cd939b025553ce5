package main

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

// TestEveryMutationFitsTheCode: what the list changes is there, once, and so are the tests that have to
// notice it.
func TestEveryMutationFitsTheCode(t *testing.T) {
	root := filepath.Join("..", "..")
	entries, err := readEntries("mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string][]string)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if _, err := e.apply(string(text)); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		found := false
		test, _, _ := strings.Cut(e.Run, "/")
		pattern, err := regexp.Compile(test)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		for _, folder := range e.Packages {
			if _, ok := tests[folder]; !ok {
				if tests[folder], err = testsOf(filepath.Join(root, filepath.FromSlash(folder))); err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
			}
			for _, name := range tests[folder] {
				found = found || pattern.MatchString(name)
			}
		}
		if !found {
			t.Errorf("%s: no test of %v matches %s", e.Name, e.Packages, e.Run)
		}
	}
}

// testsOf lists the tests in a folder's files.
func testsOf(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no tests", folder)
	}
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names, err
}
