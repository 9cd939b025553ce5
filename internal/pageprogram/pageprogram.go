// Package pageprogram runs the program that a page of the documentation shows, for the test of that page.
package pageprogram

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Test builds the first program on a page, with the modules of the package that is tested, runs it in an empty folder,
// and compares what it prints with the text block that follows on the page.
func Test(t *testing.T, page string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	program, printed := find(string(content))
	if program == "" || printed == "" {
		t.Fatalf("%s has no program, or not what it prints", page)
	}
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program.exe")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("the program of %s: %v\n%s", page, err, out)
	}
	command := exec.CommandContext(t.Context(), binary)
	command.Dir = dir
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil || string(out) != printed {
		t.Fatalf("the program of %s prints %q, not %q: %v\n%s", page, out, printed, err, errs.String())
	}
}

// find returns the first block of Go on a page that is a program, and the first block of text after it.
func find(page string) (program, printed string) {
	kind, block := "", ""
	for line := range strings.Lines(page) {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && kind == "":
			kind, block = strings.TrimSpace(fence), ""
		case isFence && kind == "go" && program == "" && strings.HasPrefix(block, "package main\n"):
			program, kind = block, ""
		case isFence && kind == "text" && program != "":
			return program, block
		case isFence:
			kind = ""
		default:
			block += line
		}
	}
	return program, ""
}
