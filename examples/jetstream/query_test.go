package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/queries"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/rawblock"
)

// naiveOf reads a stream through the running server, as a client does.
func naiveOf(t *testing.T, server *oracle.Server, stream string) *queries.Naive {
	t.Helper()
	state, err := server.State(t.Context(), stream)
	require.NoError(t, err)
	var messages []oracle.Message
	for message, err := range server.Messages(t.Context(), stream, max(state.First, 1), state.Last) {
		require.NoError(t, err)
		messages = append(messages, message)
	}
	require.Len(t, messages, int(state.Messages))
	return queries.NewNaive(messages, state)
}

// openIndexed opens the stream with Millrace so that every block that is full gets an index file.
func openIndexed(t *testing.T, dir, stream string, indexFrom int64) *actors.Store {
	t.Helper()
	system := interop.QuietSystem()
	store, err := actors.Open(t.Context(), system, actors.Config{Dir: dir, Name: stream, IndexFrom: indexFrom, CompactBelow: -1})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = store.Stop(context.Background()) // a test that failed early has not stopped it
		system.Shutdown()
	})
	return store
}

// ways are how Millrace opens a directory: with all of its index files still to be made, with those
// it made before, and without any.
var ways = []struct {
	name      string
	indexFrom int64
}{{"first", 1}, {"again", 1}, {"without index files", -1}}

// askBoth puts every question about a stream to the server over storeDir and to Millrace over a copy,
// and returns which defects of the server showed.
func askBoth(t *testing.T, server *oracle.Server, storeDir, stream string) map[string]int {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, server.Restart(func() error {
		return oracle.CopyStream(filepath.Join(copied, stream), oracle.StreamDir(storeDir, stream))
	}))
	questions, defects := judge(t, server, stream)
	for _, way := range ways {
		if way.indexFrom < 0 {
			removeIndexes(t, filepath.Join(copied, stream))
		}
		stats := ask(t, copied, stream, way.indexFrom, questions)
		if way.name != "first" {
			require.Zero(t, stats.BadIndexes, "%s: an index is not good that was", way.name)
			require.Zero(t, stats.Indexed, "%s: indexes were written that were there", way.name)
		}
	}
	return defects
}

// judge puts the questions to the server.
func judge(t *testing.T, server *oracle.Server, stream string) ([]queries.Answered, map[string]int) {
	t.Helper()
	store, err := server.FileStore(stream)
	require.NoError(t, err)
	naive := naiveOf(t, server, stream)
	questions, defects, err := queries.Judge(queries.NewServer(store), naive, queries.Plan(naive))
	require.NoError(t, err)
	t.Logf("%d questions, defects of the server: %v", len(questions), defects)
	return questions, defects
}

// ask puts the questions to Millrace over dir: as soon as it is open and, when it is to make index
// files, again when they are there.
func ask(t *testing.T, dir, stream string, indexFrom int64, questions []queries.Answered) actors.Stats {
	t.Helper()
	store := openIndexed(t, dir, stream, indexFrom)
	err := queries.Compare(queries.NewMillrace(t.Context(), store), questions)
	if indexFrom > 0 && err == nil {
		awaitIndexes(t, store, filepath.Join(dir, stream))
		err = queries.Compare(queries.NewMillrace(t.Context(), store), questions)
	}
	stats := store.Stats()
	require.NoError(t, store.Stop(t.Context()))
	require.NoError(t, err)
	return stats
}

// indexFiles are the index files of a stream directory, by name.
func indexFiles(t *testing.T, streamDir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(streamDir, "msgs", "*.bix"))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, path := range paths {
		files[filepath.Base(path)], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	return files
}

// awaitIndexes waits until each block with messages has a good index file, but the last, which still
// grows.
func awaitIndexes(t *testing.T, store *actors.Store, streamDir string) {
	t.Helper()
	live := map[uint64]bool{}
	for message, err := range store.Messages(t.Context(), actors.Borrowed()) {
		require.NoError(t, err)
		live[message.Sequence] = true
	}
	var full []string
	newest, newestPath := 0, ""
	for _, path := range blockPaths(t, streamDir) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		records, _ := rawblock.Scan(content) // zeros that were written ahead are no record
		if slices.ContainsFunc(records, func(r rawblock.Record) bool {
			return r.Kind == rawblock.KindMessage && live[r.Sequence]
		}) {
			full = append(full, path)
		}
		var number int
		_, err = fmt.Sscanf(filepath.Base(path), "%d.blk", &number)
		require.NoError(t, err)
		if number > newest {
			newest, newestPath = number, path
		}
	}
	for _, path := range full {
		if path != newestPath {
			require.Eventually(t, func() bool { return indexed(path) }, time.Minute, 5*time.Millisecond, path)
		}
	}
}

// indexed reports whether a block has an index file of the block as it is: of its size, modification
// time and last checksum. See docs/format-block-index.md.
func indexed(blockPath string) bool {
	index, err := os.ReadFile(strings.TrimSuffix(blockPath, "blk") + "bix")
	if err != nil || len(index) < 48 {
		return false
	}
	block, err := os.ReadFile(blockPath)
	if err != nil || len(block) < 8 {
		return false
	}
	stat, err := os.Stat(blockPath)
	return err == nil && binary.LittleEndian.Uint64(index[24:]) == uint64(len(block)) &&
		binary.LittleEndian.Uint64(index[32:]) == uint64(stat.ModTime().UnixNano()) &&
		bytes.Equal(index[40:48], block[len(block)-8:])
}

func blockPaths(t *testing.T, streamDir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(streamDir, "msgs", "*.blk"))
	require.NoError(t, err)
	return paths
}

func removeIndexes(t *testing.T, streamDir string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(indexFiles(t, streamDir))) {
		require.NoError(t, os.Remove(filepath.Join(streamDir, "msgs", name)))
	}
}

// expectDefects wants exactly these defects of the server to show, so that a later server without
// them is noticed.
func expectDefects(t *testing.T, want []string, got map[string]int) {
	t.Helper()
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(got)), "%v", got)
}

// TestQueriesAgreeOnGoldenStores asks both about what an earlier nats-server wrote.
func TestQueriesAgreeOnGoldenStores(t *testing.T) {
	for _, c := range []struct {
		name    string
		defects []string
	}{
		{"basic", []string{queries.MultiLastAbove}},
		{"headers", []string{queries.MultiLastAbove, queries.FromTimeBack}},
		{"deletes", []string{queries.MultiLastAbove, queries.FilteredAllLast, queries.LastOfAllDeleted, queries.PendingMultiNil}},
		{"multi-block", []string{queries.MultiLastAbove, queries.PendingMultiNil}},
		{"empty", []string{queries.StateBrandNew, queries.LoadBrandNew}},
		{"first-seq", nil},
		{"purged", nil},
		{"many-subjects", []string{queries.MultiLastAbove}},
		{"head-tombstones-lost", []string{queries.MultiLastAbove, queries.PendingMultiNil}},
		{"corrupted-tail", []string{queries.MultiLastAbove}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dirs, err := filepath.Glob(filepath.Join(goldens, c.name, "streams", "*"))
			require.NoError(t, err)
			require.Len(t, dirs, 1)
			stream, storeDir := filepath.Base(dirs[0]), t.TempDir()
			require.NoError(t, oracle.Place(storeDir, stream, dirs[0]))
			server, err := oracle.Start(storeDir)
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			expectDefects(t, c.defects, askBoth(t, server, storeDir, stream))
		})
	}
}
