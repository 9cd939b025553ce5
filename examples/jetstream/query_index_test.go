package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// fileVersion is what tells whether somebody wrote a file.
type fileVersion struct {
	content  string
	modified time.Time
}

func versions(t *testing.T, streamDir, pattern string) map[string]fileVersion {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(streamDir, "msgs", pattern))
	require.NoError(t, err)
	files := map[string]fileVersion{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		stat, err := os.Stat(path)
		require.NoError(t, err)
		files[filepath.Base(path)] = fileVersion{string(content), stat.ModTime()}
	}
	return files
}

// changeCase is something that a server does to blocks that have index files.
type changeCase struct {
	name  string
	write func(*testing.T, *actors.Store)
	block int64 // size
	sync  time.Duration
	run   func(t *testing.T, s *oracle.Server, streamDir string)
	// rewritten is whether blocks are other than before and still there. Blocks may go in any case.
	rewritten bool
	// sameTimes gives the blocks the modification times back that they had, as if the clock had not moved.
	sameTimes bool
	// removes is whether the server removes the folder of the blocks, and index files with it.
	removes bool
}

func changeCases() []changeCase {
	mixed := func(t *testing.T, s *actors.Store) { writeQueried(t, s, 12) }
	large := func(t *testing.T, s *actors.Store) {
		for i := range 700 {
			_, err := s.StoreMsg(t.Context(), fmt.Sprintf("q.%d", i%20), nil, make([]byte, 10<<10))
			require.NoError(t, err)
		}
	}
	erase := func(t *testing.T, s *oracle.Server, _ string) {
		for _, sequence := range []uint64{1, 3, 4, 50, 70, 71, 90} {
			require.NoError(t, s.JetStream().SecureDeleteMsg(queryStream, sequence))
		}
	}
	thin := func(first, last uint64) func(*testing.T, *oracle.Server, string) {
		return func(t *testing.T, s *oracle.Server, _ string) {
			for sequence := first; sequence <= last; sequence++ {
				if sequence%3 != 0 {
					_ = s.JetStream().DeleteMsg(queryStream, sequence) // some were skipped
				}
			}
		}
	}
	purge := func(request *nats.StreamPurgeRequest) func(*testing.T, *oracle.Server, string) {
		return func(t *testing.T, s *oracle.Server, _ string) {
			require.NoError(t, s.JetStream().PurgeStream(queryStream, request))
		}
	}
	return []changeCase{
		{name: "nothing", write: mixed, run: func(*testing.T, *oracle.Server, string) {}},
		{name: "appends", write: mixed, run: func(t *testing.T, s *oracle.Server, dir string) { publishMany(t, s, 0, 150) }},
		{name: "deletes", write: mixed, run: func(t *testing.T, s *oracle.Server, dir string) { deleteAll(t, s, 1, 2, 20, 39, 41, 60) }},
		{name: "erases", write: mixed, rewritten: true, run: erase},
		{name: "erases while the clock stands still", write: mixed, sameTimes: true, run: erase},
		{name: "purge by subject", write: mixed, run: purge(&nats.StreamPurgeRequest{Subject: "q.single.*", Keep: 2})},
		{name: "purge up to a sequence", write: mixed, run: purge(&nats.StreamPurgeRequest{Sequence: 117})},
		{name: "purge, then appends", write: mixed, removes: true, run: func(t *testing.T, s *oracle.Server, dir string) {
			purge(&nats.StreamPurgeRequest{})(t, s, dir)
			publishMany(t, s, 0, 90)
		}},
		{name: "compaction in the background", write: mixed, rewritten: true, sync: 100 * time.Millisecond, run: func(t *testing.T, s *oracle.Server, dir string) {
			block := filepath.Join(dir, "msgs", "1.blk")
			before, err := os.Stat(block)
			require.NoError(t, err)
			thin(1, 120)(t, s, dir)
			require.Eventually(t, func() bool {
				now, err := os.Stat(block)
				return err == nil && now.Size() < before.Size()
			}, time.Minute, 20*time.Millisecond)
		}},
		{name: "compaction at a delete", write: large, block: 3 << 20, rewritten: true, run: thin(2, 290)},
	}
}

// TestMillraceNoticesStaleIndexes lets Millrace write blocks with index files, a server change the
// blocks, and Millrace open the directory as the server left it.
func TestMillraceNoticesStaleIndexes(t *testing.T) {
	for _, c := range changeCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storeDir := t.TempDir()
			dir := oracle.StreamDir(storeDir, queryStream)
			store := create(t, storeDir, actors.Config{BlockSize: c.block, CompactBelow: -1})
			c.write(t, store)
			finish(t, store, storeDir)
			blocks, indexes := versions(t, dir, "*.blk"), versions(t, dir, "*.bix")
			if c.sync == 0 {
				c.sync = time.Hour
			}
			server, err := oracle.Start(storeDir, oracle.WithSyncInterval(c.sync))
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			c.run(t, server, dir)
			require.NoError(t, server.Restart(func() error { return server.RemoveIndex(queryStream) }))
			questions, _ := judge(t, server, queryStream)
			server.Stop()
			if left := versions(t, dir, "*.bix"); c.removes {
				require.Empty(t, left)
			} else if !maps.Equal(indexes, left) {
				require.Fail(t, "the server touched index files")
			}

			scanned := t.TempDir()
			require.NoError(t, oracle.CopyStream(filepath.Join(scanned, queryStream), dir))
			removeIndexes(t, filepath.Join(scanned, queryStream))
			ask(t, scanned, queryStream, -1, questions)

			if c.sameTimes {
				for name, block := range blocks {
					require.NoError(t, os.Chtimes(filepath.Join(dir, "msgs", name), block.modified, block.modified))
				}
			}
			changed := versions(t, dir, "*.blk")
			ask(t, filepath.Dir(dir), queryStream, 1, questions)
			if !c.sameTimes {
				rewritten := compareIndexes(t, blocks, changed, indexes, versions(t, dir, "*.bix"))
				require.Equal(t, c.rewritten, rewritten > 0, "%d blocks were rewritten", rewritten)
			}

			// And the server goes on with what Millrace leaves.
			require.NoError(t, server.Restart(nil))
			_, err = server.JetStream().Publish("q.more", bytes.Repeat([]byte{1}, 50))
			require.NoError(t, err)
			judge(t, server, queryStream)
		})
	}
}

// compareIndexes wants the index of a block that the server left alone to be the same file, and that
// of one that it rewrote to be another. It returns how many were rewritten.
func compareIndexes(t *testing.T, before, after, indexes, indexesNow map[string]fileVersion) (rewritten int) {
	t.Helper()
	for name, index := range indexes {
		block := name[:len(name)-len("bix")] + "blk"
		now, ok := indexesNow[name]
		switch content, there := after[block]; {
		case !there:
			require.False(t, ok, "%s is left of a block that went", name)
		case content == before[block] && ok:
			require.True(t, index == now, "%s was written again", name)
		case ok:
			rewritten++
			require.False(t, index.content == now.content, "%s is of the block as it was", name)
		}
	}
	return rewritten
}
