//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestALockIsOfTheFileThatHasTheName, while others take the directory away, with the lock held, and make another one.
func TestALockIsOfTheFileThatHasTheName(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "S")
	name := filepath.Join(dir, "lock")
	var all sync.WaitGroup
	for i := range 4 {
		aside := filepath.Join(top, fmt.Sprint(".S", i))
		all.Go(func() {
			for range 500 {
				if err := OS.MkdirAll(dir); err != nil {
					t.Error(err)
				}
				lock, err := OS.Lock(name, "")
				if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				// Nobody else has the lock of this name, so the directory is ours.
				held, err := os.Stat(name)
				if err == nil {
					err = os.Rename(dir, aside)
				}
				if err == nil {
					var moved os.FileInfo
					moved, err = os.Stat(filepath.Join(aside, "lock"))
					if err == nil && !os.SameFile(held, moved) {
						t.Error("another directory")
					}
				}
				if err := errors.Join(err, os.RemoveAll(aside), lock.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	entries, err := os.ReadDir(top)
	require.NoError(t, err)
	require.LessOrEqual(t, len(entries), 1)
}

// TestALockSaysWhoHoldsItAlone: of a longer text that another holder has left, nothing stays.
func TestALockSaysWhoHoldsItAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(name, []byte("somebody with a very long name"), 0o600))
	lock, err := OS.Lock(name, "me")
	require.NoError(t, err)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "me", string(text))
	require.NoError(t, lock.Close())
	text, err = os.ReadFile(name)
	require.NoError(t, err)
	require.Empty(t, text)
}
