package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

var (
	scriptCount = flag.Int("scripts", 120, "how many scripts of removals are run")
	scriptSeed  = flag.Uint64("script.seed", 1, "seed of the first script")
)

// TestScriptsOfRemovals has the server's file store and ours run the same random script, wants the same
// answers and the same state of both, then opens each one's files with the other, after a stop or as a
// crash leaves them, and has them go on there: three legs, and at last each opens what the other left.
func TestScriptsOfRemovals(t *testing.T) {
	for i := range *scriptCount {
		seed := *scriptSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			runScript(t, seed)
		})
	}
}

// scriptRun is a script that runs on two copies of a stream.
type scriptRun struct {
	maker    *scriptMaker
	maxPer   int64
	compress bool // our full blocks
	history  []string
}

const scriptLegs, operationsPerLeg = 3, 45

func runScript(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	run := &scriptRun{maker: &scriptMaker{random: random}, maxPer: []int64{-1, -1, 1, 3}[random.IntN(4)], compress: seed%2 == 0}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("MaxMsgsPer %d\n%s", run.maxPer, strings.Join(run.history, "\n"))
		}
	})
	ourDir, theirDir := t.TempDir(), t.TempDir()
	var left map[string]scriptState
	for range scriptLegs {
		crash := random.IntN(2) == 0
		ourDir, theirDir, left = run.leg(t, ourDir, theirDir, left, crash)
		ourDir, theirDir = theirDir, ourDir
	}
	run.leg(t, ourDir, theirDir, left, false)
}

// leg opens both directories, wants of each the state that was left in it, and runs operations on both. It
// returns where each left its files, and in which state.
func (r *scriptRun) leg(t *testing.T, ourDir, theirDir string, left map[string]scriptState, crash bool,
) (ourNext, theirNext string, leaves map[string]scriptState) {
	found := func(scriptState) scriptState { return scriptState{} }
	if left != nil {
		found = r.foundByServer(t, ourDir, left[ourDir])
	}
	mine, other := openOurs(t, ourDir, r.maxPer, r.compress), openTheirs(t, theirDir, r.maxPer)
	if left != nil {
		if opened := r.observe(t, mine); !reflect.DeepEqual(left[ourDir], opened) { // after a crash the server may find more
			r.equal(t, "the server's files, opened by us", r.ofOurFirst(t, mine, found(opened), opened), opened)
		}
		r.equal(t, "our files, opened by the server", left[theirDir], r.observe(t, other))
		r.removeAgain(t, mine, other, left[ourDir])
	}
	for _, op := range r.maker.operations(operationsPerLeg) {
		r.history = append(r.history, op.text)
		if op.below > 0 && r.endsAmongDeleted(t, mine, op.below) {
			r.history = append(r.history, "left out")
			continue
		}
		if op.above > 0 && (!r.isLive(t, mine, op.above) || r.compress && hasCompressedBlocks(t, theirDir)) {
			r.history = append(r.history, "left out")
			continue
		}
		ourAnswer, err := op.run(mine)
		require.NoError(t, err, "%s, ours", op.text)
		theirAnswer, err := op.run(other)
		require.NoError(t, err, "%s, the server's", op.text)
		require.Equal(t, theirAnswer, ourAnswer, "the server's answer and ours to: %s", op.text)
		if op.maxPer != 0 {
			r.maxPer = op.maxPer
		}
		if op.removes {
			r.equal(t, "after "+op.text, r.observe(t, other).withoutTimes(), r.observe(t, mine).withoutTimes())
		}
	}
	ourState, theirState := r.observe(t, mine), r.observe(t, other)
	ourNext, theirNext = ourDir, theirDir
	if crash {
		r.history = append(r.history, "crash")
		awaitRemovedFiles(t, mine, ourDir)
		ourNext, theirNext = quietCopy(t, ourDir), quietCopy(t, theirDir)
	}
	require.NoError(t, mine.Stop(t.Context()))
	require.NoError(t, other.Stop())
	require.Eventually(t, func() bool { return listing(t, theirNext) != "" }, time.Minute, time.Millisecond,
		"what the server has purged is removed behind its back")
	r.history = append(r.history, "opened by the other")
	return ourNext, theirNext, map[string]scriptState{ourNext: ourState, theirNext: theirState}
}

// foundByServer returns what the server itself makes of its files. After a stop that is what it left. After a crash its
// index.db may be missing, or older than the files: then what a limit removed is nowhere said to be, and can
// come back when newer messages of the subject were removed, or when the limit was lifted. Some of that stays away when we
// open the files: what is below a floor that we had written, of which the server knows nothing. So what we have opened
// may lack what had not been there before the crash, and is then compared without it.
func (r *scriptRun) foundByServer(t *testing.T, dir string, left scriptState) func(opened scriptState) scriptState {
	t.Helper()
	alone := t.TempDir()
	require.NoError(t, oracle.CopyStream(alone, dir))
	return func(opened scriptState) scriptState {
		t.Helper()
		store := openTheirs(t, alone, r.maxPer)
		found := r.observe(t, store)
		for sequence := range found.Contents {
			if left.Contents[sequence] == 0 && opened.Contents[sequence] == 0 && sequence < opened.First {
				r.history = append(r.history, fmt.Sprintf("came back for the server alone: %d", sequence))
				_, err := store.remove(sequence)
				require.NoError(t, err)
			}
		}
		found = r.observe(t, store)
		require.NoError(t, store.Stop())
		return found
	}
}

// ofOurFirst returns what a server has found with our first time, if that of the server is the one of a message that it has
// removed: it may go on with that. Ours is the time of the message that is first.
func (r *scriptRun) ofOurFirst(t *testing.T, store ours, found, opened scriptState) scriptState {
	t.Helper()
	if found.FirstNanos == opened.FirstNanos || opened.Messages == 0 {
		return found
	}
	first, err := store.LoadMsg(t.Context(), opened.First)
	require.NoError(t, err)
	require.Equal(t, first.Time.UnixNano(), opened.FirstNanos)
	require.Less(t, found.FirstNanos, opened.FirstNanos)
	found.FirstNanos = opened.FirstNanos
	return found
}

// removeAgain removes what came back, and from the other store what did not come, so that both streams are the same
// again: where limits were changed, a server that has crashed can also have less.
func (r *scriptRun) removeAgain(t *testing.T, store ours, other theirs, want scriptState) {
	t.Helper()
	found := r.observe(t, store).Contents
	for sequence := range want.Contents {
		if _, there := found[sequence]; there {
			continue
		}
		r.history = append(r.history, fmt.Sprintf("not in the server's files: %d", sequence))
		_, err := other.remove(sequence)
		require.NoError(t, err)
		want = r.observe(t, other)
	}
	for sequence := range found {
		if _, there := want.Contents[sequence]; there {
			continue
		}
		r.history = append(r.history, fmt.Sprintf("came back in the server's files: %d", sequence))
		_, err := store.remove(sequence)
		require.NoError(t, err)
	}
	r.equal(t, "with what came back removed again", want.withoutTimes(), r.observe(t, store).withoutTimes())
}

// endsAmongDeleted reports whether a compaction would find no message at or above its sequence, although that is not
// above the last one. The server then leaves a first sequence that is no message's, and where those behind the last
// message were skipped, removed messages come back when others are stored.
func (r *scriptRun) endsAmongDeleted(t *testing.T, store ours, below uint64) bool {
	t.Helper()
	state := r.observe(t, store)
	for sequence := range state.Contents {
		if sequence >= below {
			return false
		}
	}
	return below <= state.Last
}

// hasCompressedBlocks reports whether there is a compressed block in the directory of a server, which may fail to
// truncate then.
func hasCompressedBlocks(t *testing.T, dir string) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, scriptStream, "msgs", "*.blk"))
	require.NoError(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err == nil && bytes.HasPrefix(data, []byte("cmp")) {
			return true
		}
	}
	return false
}

// isLive reports whether there is a message with a sequence. A server truncates to another one, too, but what it makes of
// its last time then is its own.
func (r *scriptRun) isLive(t *testing.T, store ours, sequence uint64) bool {
	t.Helper()
	_, err := store.LoadMsg(t.Context(), sequence)
	return err == nil
}

func (r *scriptRun) observe(t *testing.T, s removing) scriptState {
	t.Helper()
	state, err := s.observe()
	require.NoError(t, err)
	return state
}

func (r *scriptRun) equal(t *testing.T, when string, want, got scriptState) {
	t.Helper()
	require.Equal(t, want, got, when)
}

// awaitRemovedFiles waits until the files of removed blocks are gone. A crash before that would leave them to a
// server that knows nothing of floors, which docs/format.md says.
func awaitRemovedFiles(t *testing.T, store ours, dir string) {
	t.Helper()
	require.Eventually(t, func() bool {
		files, err := filepath.Glob(filepath.Join(dir, scriptStream, "msgs", "*.blk"))
		require.NoError(t, err)
		return uint64(len(files)) == store.Stats().Blocks
	}, time.Minute, time.Millisecond)
}

// quietCopy copies the streams of a directory at an instant at which nothing in it changes.
func quietCopy(t *testing.T, dir string) string {
	t.Helper()
	for {
		target := t.TempDir()
		before := listing(t, dir)
		err := oracle.CopyStream(target, dir)
		if err == nil && before != "" && before == listing(t, dir) {
			return target
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
		}
	}
}

// purgeFolder is where a server moves what it purges.
const purgeFolder = "__msgs__"

// listing is the names, sizes and times of all files, or empty if some went meanwhile.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), purgeFolder) {
			return fs.ErrNotExist // a purge of the server's is still removing it
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(&list, path, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	require.NoError(t, err)
	return list.String()
}
