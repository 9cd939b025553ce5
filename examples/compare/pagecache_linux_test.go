package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDropPagesKeepsTheContent(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "msgs"), 0o700))
	path := filepath.Join(dir, "msgs", "1.blk")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	require.NoError(t, dropPages(dir))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
	require.Error(t, dropPages(filepath.Join(dir, "missing")))
}
