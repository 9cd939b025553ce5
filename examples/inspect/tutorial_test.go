package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fenced is a block of a Markdown page between fences.
type fenced struct{ kind, text string }

func fencedOf(page string) (blocks []fenced) {
	kind, text := "", ""
	for line := range strings.Lines(page) {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && kind == "":
			kind, text = fence, ""
		case isFence:
			blocks = append(blocks, fenced{kind, text})
			kind = ""
		case kind != "":
			text += line
		}
	}
	return blocks
}

// TestTutorial follows docs/tutorial.md in an empty directory: its commands, its program, and what they write.
func TestTutorial(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "tutorial.md"))
	require.NoError(t, err)
	beside := t.TempDir()
	require.NoError(t, os.Symlink(root, filepath.Join(beside, "millrace")))
	dir, program, wrote, ran, compared := beside, "", "", 0, 0
	for _, block := range fencedOf(string(page)) {
		switch block.kind {
		case "go":
			program += block.text + "\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
		case "sh":
			command := exec.CommandContext(t.Context(), "sh", "-ec", block.text)
			command.Dir = dir
			command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "NO_COLOR=1")
			var out, errOut strings.Builder
			command.Stdout, command.Stderr = &out, &errOut
			require.NoError(t, command.Run(), "%s: %s%s", block.text, out.String(), errOut.String())
			wrote = out.String()
			dir = filepath.Join(beside, "shop")
			ran++
		case "text":
			pattern := strings.ReplaceAll(regexp.QuoteMeta(block.text), `\.\.\.`, `[^\n]*`)
			pattern = regexp.MustCompile(` +`).ReplaceAllString(pattern, " +")
			require.Regexp(t, "^ *"+pattern+"$", wrote)
			compared++
		default:
			require.Fail(t, "a block that is not looked at", block.kind)
		}
	}
	require.Equal(t, 4, ran)
	require.Equal(t, 3, compared)
}
