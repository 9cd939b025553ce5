// Command fuzzseeds writes the seeds of the fuzz targets into testdata/fuzz of their packages: small inputs
// that mean something, valid, cut, flipped, and with hostile lengths. `make fuzz-seeds` runs it. What a
// fuzzer finds is committed beside them, under the name that it gives; docs/testing.md says how.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := "."
	if len(os.Args) == 2 {
		root = os.Args[1]
	}
	for name, text := range files() {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := write(path, text); err != nil {
			fmt.Fprintln(os.Stderr, "fuzzseeds:", err)
			os.Exit(1)
		}
	}
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// seed is one input of a fuzz target. The values have the types of the target's arguments.
type seed struct {
	name   string
	values []any
}

// files returns the text of each seed file by its path from the root of the repository.
func files() map[string]string {
	all := make(map[string]string)
	for target, seeds := range targets() {
		folder, name, _ := strings.Cut(target, " ")
		for _, s := range seeds {
			all[folder+"/testdata/fuzz/"+name+"/seed-"+s.name] = s.text()
		}
	}
	return all
}

// text returns the seed as `go test` reads it.
func (s *seed) text() string {
	lines := []string{"go test fuzz v1"}
	for _, value := range s.values {
		switch v := value.(type) {
		case string:
			lines = append(lines, fmt.Sprintf("string(%q)", v))
		case []byte:
			lines = append(lines, fmt.Sprintf("[]byte(%q)", v))
		case uint8:
			lines = append(lines, fmt.Sprintf("byte('\\x%02x')", v))
		default:
			lines = append(lines, fmt.Sprintf("%T(%v)", v, v))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
