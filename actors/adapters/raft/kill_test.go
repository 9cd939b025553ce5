package raftstore

import (
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The variables that make the test binary a child: the folder, and the seed and the last term of its work.
const (
	killDirVariable  = "MILLRACE_RAFT_KILL_DIR"
	killWorkVariable = "MILLRACE_RAFT_KILL_WORK"
)

// TestAKilledProcessKeepsWhatItPromised kills a process that does random work of raft's, again and again, and compares what
// is there with a model: all that had returned, and of what was under way all or nothing.
func TestAKilledProcessKeepsWhatItPromised(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 8
	}
	dir, random := t.TempDir(), rand.New(rand.NewSource(1))
	promised, done := model{terms: map[uint64]uint64{}}, 0
	for kill := range kills {
		seed, count := int64(kill+1), random.Intn(60)
		steps, err := killOnce(dir, seed, promised.term, count)
		require.NoError(t, err, "kill %d", kill)
		require.GreaterOrEqual(t, steps, count)
		work := rand.New(rand.NewSource(seed))
		for range steps {
			_, step := promised.next(work)
			step(&promised)
		}
		s, err := Open(t.Context(), killConfig(dir))
		require.NoError(t, err, "kill %d", kill)
		if before := promised.compare(s); before != nil {
			_, step := promised.next(work)
			step(&promised)
			require.NoError(t, promised.compare(s), "kill %d after %d steps: as after the step that was under way; as before it: %v", kill, steps, before)
		}
		require.NoError(t, s.Close())
		done += steps
	}
	t.Logf("%d kills, %d operations done", kills, done)
}

func killConfig(dir string) Config {
	return Config{System: testSystem, Stream: actors.Config{Dir: dir, BlockSize: 16 << 10}}
}

// killOnce runs a child until it has reported count steps, kills it, and returns how many it has reported.
func killOnce(dir string, seed int64, term uint64, count int) (steps int, err error) {
	reports, child, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	command.Env = append(os.Environ(), killDirVariable+"="+dir, fmt.Sprintf("%s=%d %d", killWorkVariable, seed, term))
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return 0, errors.Join(err, child.Close())
	}
	if err := child.Close(); err != nil { // the pipe ends with the child
		return 0, err
	}
	killed := false
	for buffer := make([]byte, 1); ; steps++ {
		if steps == count {
			killed = true
			if err := command.Process.Kill(); err != nil {
				return steps, err
			}
		}
		n, err := reports.Read(buffer)
		if n == 1 && buffer[0] == '.' {
			continue
		}
		waited := command.Wait()
		if !killed || !errors.Is(err, io.EOF) {
			return steps, fmt.Errorf("the child ended by itself: %v, %q, %v", waited, buffer[:n], err)
		}
		return steps, nil
	}
}

// TestKillChild is what a child does: random work, a dot for each step that is done, until it is killed. Without the
// environment it does nothing.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDirVariable)
	if dir == "" {
		return
	}
	var seed int64
	found := model{terms: map[uint64]uint64{}}
	_, err := fmt.Sscan(os.Getenv(killWorkVariable), &seed, &found.term)
	require.NoError(t, err)
	s, err := Open(t.Context(), killConfig(dir))
	require.NoError(t, err)
	found.first, err = s.FirstIndex()
	require.NoError(t, err)
	found.last, err = s.LastIndex()
	require.NoError(t, err)
	for index := found.first; index > 0 && index <= found.last; index++ {
		var read raft.Log
		require.NoError(t, s.GetLog(index, &read))
		found.terms[index] = read.Term
	}
	for work := rand.New(rand.NewSource(seed)); ; {
		do, step := found.next(work)
		require.NoError(t, do(s))
		step(&found)
		_, err := os.Stdout.WriteString(".")
		require.NoError(t, err)
	}
}
