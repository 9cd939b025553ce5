package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// commandsOf returns the arguments of each "go run . ..." in a file, without comments, but for those of other folders.
func commandsOf(t *testing.T, path string) (commands [][]string) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	here := true
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), " #")
		if folder, ok := strings.CutPrefix(line, "cd "); ok {
			here = strings.HasSuffix(folder, "examples/jetstream")
		}
		if !here {
			continue
		}
		if _, arguments, ok := strings.Cut(line, "go run . "); ok && !strings.Contains(line, "`") {
			commands = append(commands, strings.Fields(arguments))
		}
	}
	return commands
}

// TestCommandsOfTheDocs runs what the two READMEs say, in order, in directories of the test.
func TestCommandsOfTheDocs(t *testing.T) {
	for path, least := range map[string]int{"README.md": 6, filepath.Join("..", "..", "README.md"): 3} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			replace := strings.NewReplacer("/var/lib/nats", servedStorage(t), "/srv/streams", filepath.Join(t.TempDir(), "streams"))
			commands := commandsOf(t, path)
			require.GreaterOrEqual(t, len(commands), least)
			for _, command := range commands {
				arguments := strings.Fields(replace.Replace(strings.Join(command, " ")))
				exit, out, errOut := cliRun(t, arguments...)
				require.Equal(t, exitDone, exit, "%v: %s", command, errOut)
				require.NotEmpty(t, out)
			}
		})
	}
}
