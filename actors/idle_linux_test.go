package actors_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// filesBelow returns the files and folders below one that the process has open.
func filesBelow(t *testing.T, dir string) (files, folders int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || !strings.HasPrefix(name, dir) {
			continue // it was the one of the listing
		}
		if filepath.Ext(name) == "" {
			folders++
		} else {
			files++
		}
	}
	return files, folders
}

// TestIdleStreamsHoldNoFiles: of many streams a few files are open when nobody has stored for a while, and none after they
// were opened again. Each has its folder locked all the time, and goes on when it is stored to.
func TestIdleStreamsHoldNoFiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncNever} {
		synctest.Test(t, func(t *testing.T) {
			const streams = 30
			runtime := actors.NewRuntime(actors.RuntimeConfig{MaxOpenFiles: 20})
			var stores [streams]*actors.Store
			open := func() {
				for i := range stores {
					var err error
					stores[i], err = actors.Open(t.Context(), quiet, actors.Config{
						Dir: dir, Name: fmt.Sprintf("S%v%d", level, i), Runtime: runtime, Sync: level,
					})
					require.NoError(t, err)
				}
			}
			held := func() int {
				files, folders := filesBelow(t, dir)
				require.Equal(t, streams, folders, "their locks")
				return files
			}
			store := func() {
				for _, s := range stores {
					mustStore(t, s, "a", "x")
				}
				synctest.Wait()
			}
			stop := func() {
				for _, s := range stores {
					require.NoError(t, s.Stop(context.Background()))
				}
			}
			open()
			for range 2 {
				store()
				<-time.After(time.Second)
				require.Equal(t, streams, held())
				<-time.After(time.Minute)
				require.Equal(t, 5, held())
			}
			stop()
			open()
			require.Zero(t, held())
			<-time.After(time.Minute)
			require.Zero(t, held())
			store()
			require.Equal(t, uint64(3), stateOf(t, stores[streams-1]).LastSequence)
			stop()
		})
	}
}

// idleChild names the folder to a process that is to be refused.
const idleChild = "MILLRACE_IDLE_CHILD"

// TestAnotherProcessIsRefusedByIdleStreams, also when the files are gone that say who has the lock.
func TestAnotherProcessIsRefusedByIdleStreams(t *testing.T) {
	config := actors.Config{Dir: os.Getenv(idleChild), Name: "ORDERS"}
	if config.Dir != "" {
		_, err := actors.Open(t.Context(), quiet, config)
		require.ErrorIs(t, err, actors.ErrLocked)
		return
	}
	config.Dir = t.TempDir()
	s := open(t, config)
	mustStore(t, s, "a", "x")
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	files, _ := filesBelow(t, config.Dir)
	require.Zero(t, files, "it is idle")
	for range 2 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAnotherProcessIsRefusedByIdleStreams$", "-test.count=1")
		child.Env = append(os.Environ(), idleChild+"="+config.Dir)
		out, err := child.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "PASS")
		require.NoError(t, os.RemoveAll(filepath.Join(config.Dir, "ORDERS", blockio.LockFile)))
	}
	require.Equal(t, uint64(2), mustStore(t, s, "a", "x").Sequence)
}

// TestForeignWritesToAnIdleStreamAreNoticed at the first store after it, of which nothing is written.
func TestForeignWritesToAnIdleStreamAreNoticed(t *testing.T) {
	for what, write := range map[string]func(last string) error{
		"has 7": func(last string) error { return os.Truncate(last, 7) },
		"was replaced, or written to": func(last string) error {
			later := time.Now().Add(time.Hour)
			return os.Chtimes(last, later, later)
		},
		"was removed": os.Remove,
	} {
		t.Run(what, func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
			s := openToFail(t, config)
			mustStore(t, s, "a", "x")
			require.NoError(t, s.Stop(t.Context()))
			s = openToFail(t, config)
			last := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
			require.NoError(t, write(last))
			before, _ := os.ReadFile(last) // none when it was removed
			_, err := s.StoreMsg(t.Context(), "a", nil, []byte("y"))
			require.ErrorIs(t, err, actors.ErrChanged)
			require.ErrorContains(t, err, what)
			err = s.Stop(context.Background())
			require.ErrorIs(t, err, actors.ErrChanged)
			after, err := os.ReadFile(last)
			require.Equal(t, before, after)
			require.Equal(t, what == "was removed", errors.Is(err, os.ErrNotExist))
		})
	}
}
