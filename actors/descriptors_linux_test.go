package actors_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// inChild is set in the process that may open few files.
const inChild = "MILLRACE_TEST_FEW_FILES"

// TestAProcessWithoutDescriptors is one that has none left for a while: nothing fails that had been opened, and it goes on
// when there are some again. The limit is that of a process, so it is a child's.
func TestAProcessWithoutDescriptors(t *testing.T) {
	if dir := os.Getenv(inChild); dir != "" {
		liveWithoutDescriptors(t, dir)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProcessWithoutDescriptors$", "-test.count=1")
	child.Env = append(os.Environ(), inChild+"="+t.TempDir())
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func liveWithoutDescriptors(t *testing.T, dir string) {
	s := open(t, actors.Config{Dir: dir, BlockSize: 4 << 10})
	mustStore(t, s, "a", "x")
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 200, Max: 200}))
	var taken []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			require.ErrorIs(t, err, syscall.EMFILE)
			break
		}
		taken = append(taken, file)
	}
	_, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: "ANOTHER"})
	require.ErrorIs(t, err, actors.ErrNoDescriptors)

	stored := 1
	for err = nil; !errors.Is(err, actors.ErrNoDescriptors); { // until a block is full
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err = s.StoreMsg(ctx, "a", nil, make([]byte, 500)); err != nil { // else the disk may be slow
			require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		stored++
		cancel()
	}
	require.NoError(t, s.Err())
	for _, file := range taken {
		require.NoError(t, file.Close())
	}
	require.NoError(t, s.Flush(t.Context()))
	mustStore(t, s, "a", "y")
	stats := s.Stats()
	require.Zero(t, stats.Failures)
	require.Equal(t, uint64(stored+1), stats.Messages, "the one whose context ended came through")
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err, m)
	}
	require.NoError(t, s.Stop(t.Context()))
}
