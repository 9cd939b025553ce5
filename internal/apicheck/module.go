package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is a module that is released: the root, and each adapter that has a go.mod.
type module struct {
	path   string // what it is imported by
	folder string // from the root, with slashes; "." for the root itself
}

// name is what its file in docs/api is called.
func (m module) name() string { return m.path[strings.LastIndexByte(m.path, '/')+1:] }

// tag is that of a release of the module, as the go command looks for it.
func (m module) tag(version string) string {
	if m.folder == "." {
		return version
	}
	return m.folder + "/" + version
}

// released lists the modules that are released, the root first.
func released(root string) ([]module, error) {
	nested, err := filepath.Glob(filepath.Join(root, "actors", "adapters", "*", "go.mod"))
	if err != nil {
		return nil, err
	}
	var modules []module
	for _, file := range append([]string{filepath.Join(root, "go.mod")}, nested...) {
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		path, ok := strings.CutPrefix(first, "module ")
		if !ok {
			return nil, fmt.Errorf("%s does not begin with its module", file)
		}
		modules = append(modules, module{path: strings.TrimSpace(path), folder: filepath.ToSlash(folder)})
	}
	return modules, nil
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Name, Export string
	DepOnly                  bool
}

// interfaceOf returns the exported interface of a module, a line for each part of it, sorted. It is read from what the
// compiler writes for those who import a package, so that types are resolved; the build cache has that as a rule.
func interfaceOf(root string, m module) ([]string, error) {
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Export,DepOnly", "./...")
	command.Dir = filepath.Join(root, filepath.FromSlash(m.folder))
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	var errs bytes.Buffer
	command.Stderr = &errs
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", m.folder, err, errs.Bytes())
	}
	exports := map[string]string{}
	var paths []string
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && p.Name != "main" && !slices.Contains(strings.Split(p.ImportPath, "/"), "internal") {
			paths = append(paths, p.ImportPath)
		}
	}
	reader := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	var lines []string
	for _, path := range paths {
		found, err := reader.Import(path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, describe(found)...)
	}
	slices.Sort(lines)
	return lines, nil
}
