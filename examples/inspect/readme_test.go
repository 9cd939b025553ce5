package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommandsOfTheReadme runs what the README says, in order, in a directory of the test.
func TestCommandsOfTheReadme(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "streams"), 0o700))
	require.NoError(t, os.Rename(stopped(t, nil), filepath.Join(root, "streams", "ORDERS")))
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	ran := 0
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, " #")
		_, command, ok := strings.Cut(line, "go run . ")
		if !ok {
			continue
		}
		var out, errOut bytes.Buffer
		arguments := strings.Fields(strings.ReplaceAll(command, "/srv", root))
		require.Equal(t, exitDone, run(t.Context(), arguments, strings.NewReader(""), &out, &errOut), "%s: %s", command, errOut.String())
		if !strings.Contains(command, "--svg") {
			require.NotEmpty(t, out.String(), command)
		}
		ran++
	}
	require.GreaterOrEqual(t, ran, 19)
}

// TestCommandsOfTheMainReadme: those for this program.
func TestCommandsOfTheMainReadme(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "streams"), 0o700))
	require.NoError(t, os.Rename(stopped(t, nil), filepath.Join(root, "streams", "ORDERS")))
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, text, found := bytes.Cut(text, []byte("cd examples/inspect\n"))
	require.True(t, found)
	text, _, found = bytes.Cut(text, []byte("```"))
	require.True(t, found)
	ran := 0
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, " #")
		_, command, ok := strings.Cut(line, "go run . ")
		require.True(t, ok, line)
		done(t, strings.Fields(strings.ReplaceAll(command, "/srv", root))...)
		ran++
	}
	require.Equal(t, 4, ran)
}
