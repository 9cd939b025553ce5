package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestCommittedSeedsAreWhatIsWritten: `make fuzz-seeds` leaves the tree as it is.
func TestCommittedSeedsAreWhatIsWritten(t *testing.T) {
	for name, text := range files() {
		committed, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		require.NoError(t, err)
		require.Equal(t, text, string(committed), name)
		require.Less(t, len(text), 20<<10, "%s: a large seed keeps the fuzzer busy with making it small", name)
	}
}

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

// TestEveryTargetHasSeeds: a fuzz target that is added brings inputs with it.
func TestEveryTargetHasSeeds(t *testing.T) {
	known, found := targets(), 0
	require.NoError(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, match := range declared.FindAllSubmatch(text, -1) {
			found++
			folder, _ := filepath.Rel(root, filepath.Dir(name))
			target := filepath.ToSlash(folder) + " " + string(match[1])
			require.GreaterOrEqual(t, len(known[target]), 5, "seeds of %s", target)
		}
		return err
	}))
	require.GreaterOrEqual(t, found, 7)
}
