package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesOfFilesAreHarmless: they come from anybody too, and stand in errors.
func TestNamesOfFilesAreHarmless(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "\x1b[31mred\u202e\nsound")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "msgs"), 0o700))
	for _, arguments := range [][]string{
		{"info", dir},
		{"verify", dir},
		{"verify", dir, dir},
		{"dump", dir},
		{"ls", dir},
		{"ls", filepath.Join(dir, "none")},
		{"ls", filepath.Join(dir, "msgs")},
		{"purge", "--below", "2", filepath.Join(dir, "none")},
		{"restore", filepath.Join(dir, "none"), dir},
	} {
		out, errOut, _ := inspect(t, arguments...)
		text := out + errOut
		require.NotEmpty(t, text)
		require.NotContains(t, text, "\x1b", "%q", arguments)
		require.NotContains(t, text, "\u202e", "%q", arguments)
		require.NotContains(t, text, "\nsound", "%q: a name is no line of its own", arguments)
	}
}

// TestLsTellsOfLosses with its exit code, as info does.
func TestLsTellsOfLosses(t *testing.T) {
	dir := stopped(t, nil)
	flip(t, filepath.Join(dir, "msgs", "2.blk"))
	done(t, "repair", "--write", dir)
	out, _, code := inspect(t, "ls", dir)
	require.Contains(t, out, "LOST through damage")
	require.Equal(t, exitDamaged, code)
	_, _, code = inspect(t, "ls", "--json", dir)
	require.Equal(t, exitDamaged, code)
	_, _, code = inspect(t, "info", dir)
	require.Equal(t, exitDamaged, code)
}
