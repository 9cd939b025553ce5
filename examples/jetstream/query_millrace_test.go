package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/queries"
)

// create opens a new stream with Millrace where a server with storeDir finds it: small blocks, and an
// index file beside every one that is full.
func create(t *testing.T, storeDir string, config actors.Config) *actors.Store {
	t.Helper()
	config.Dir, config.Name, config.Subjects = filepath.Dir(oracle.StreamDir(storeDir, queryStream)), queryStream, []string{"q", "q.>"}
	config.IndexFrom = 1
	if config.BlockSize == 0 {
		config.BlockSize = 4 << 10
	}
	require.NoError(t, os.MkdirAll(config.Dir, 0o700))
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(t.Context(), system, config)
	require.NoError(t, err)
	return store
}

// finish waits for the index files, and stops the store.
func finish(t *testing.T, store *actors.Store, storeDir string) {
	t.Helper()
	awaitIndexes(t, store, oracle.StreamDir(storeDir, queryStream))
	require.NoError(t, store.Stop(t.Context()))
	require.NotEmpty(t, indexFiles(t, oracle.StreamDir(storeDir, queryStream)))
}

// writeQueried stores single messages, batches with group marks, messages with a time of their own,
// and skips.
func writeQueried(t *testing.T, store *actors.Store, rounds int) {
	t.Helper()
	ctx := t.Context()
	for round := range rounds {
		for i := range 12 {
			var header actors.Header
			if i%3 == 0 {
				header = actors.Header{"Id": {fmt.Sprint(i)}}
			}
			_, err := store.StoreMsg(ctx, fmt.Sprintf("q.single.%d", i*round%13), header, bytes.Repeat([]byte{byte(i)}, i*9))
			require.NoError(t, err)
		}
		batch := make([]actors.BatchMessage, 7)
		for i := range batch {
			batch[i] = actors.BatchMessage{Subject: fmt.Sprintf("q.batch.%d.%d", round%3, i), Payload: make([]byte, 5*i)}
		}
		batch[2].Header = actors.Header{"Batch": {fmt.Sprint(round)}}
		_, err := store.StoreBatch(ctx, batch)
		require.NoError(t, err)
		if round%4 == 1 {
			_, err = store.Skip(ctx, 0, uint64(round))
			require.NoError(t, err)
		}
		_, err = store.StoreRaw(ctx, actors.RawMessage{Time: time.Now(), Subject: fmt.Sprintf("q.once.%d", round), Payload: []byte("raw")})
		require.NoError(t, err)
	}
}

// storeEach stores a raw message of each subject, which can be empty, too.
func storeEach(t *testing.T, store *actors.Store, subjects ...string) {
	t.Helper()
	for i, subject := range subjects {
		_, err := store.StoreRaw(t.Context(), actors.RawMessage{Subject: subject, Payload: make([]byte, 100+i%7), StampNow: true})
		require.NoError(t, err)
	}
}

func repeat(count int, subjects ...string) (list []string) {
	for range count {
		list = append(list, subjects...)
	}
	return list
}

// TestQueriesAgreeOnWhatMillraceWrote lets the server open directories with index files beside the
// blocks, and asks both.
func TestQueriesAgreeOnWhatMillraceWrote(t *testing.T) {
	holes := []string{queries.MultiLastAbove, queries.PendingMultiNil}
	for _, c := range []struct {
		name    string
		config  actors.Config
		write   func(*testing.T, *actors.Store)
		defects []string
	}{
		{name: "all kinds", write: func(t *testing.T, s *actors.Store) { writeQueried(t, s, 12) }, defects: append(holes[:2:2], queries.MultiLastOverlap)},
		{name: "limit of messages", config: actors.Config{MaxMsgs: 97}, defects: holes,
			write: func(t *testing.T, s *actors.Store) { writeQueried(t, s, 14) }},
		{name: "limit of bytes", config: actors.Config{MaxBytes: 11_000}, defects: holes,
			write: func(t *testing.T, s *actors.Store) { writeQueried(t, s, 14) }},
		{name: "first sequence", config: actors.Config{FirstSequence: 1 << 40}, defects: holes,
			write: func(t *testing.T, s *actors.Store) { writeQueried(t, s, 8) }},
		{name: "skips at the end", defects: append(holes[:2:2], queries.FilteredAllLast, queries.LastOfAllDeleted),
			write: func(t *testing.T, s *actors.Store) {
				writeQueried(t, s, 8)
				_, err := s.Skip(t.Context(), 0, 9)
				require.NoError(t, err)
			}},
		{name: "one subject and empty ones", defects: []string{queries.MultiLastAbove, queries.PendingOnlySubject, queries.EmptySubject},
			write: func(t *testing.T, s *actors.Store) { storeEach(t, s, repeat(40, "q.only", "q.only", "")...) }},
		{name: "empty subjects among others", defects: []string{queries.MultiLastAbove, queries.EmptySubject},
			write: func(t *testing.T, s *actors.Store) { storeEach(t, s, repeat(30, "q.a", "", "q.b", "q.a.b")...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storeDir := t.TempDir()
			store := create(t, storeDir, c.config)
			c.write(t, store)
			finish(t, store, storeDir)
			before := indexFiles(t, oracle.StreamDir(storeDir, queryStream))
			server, err := oracle.Start(storeDir)
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			defects := askBoth(t, server, storeDir, queryStream)
			require.True(t, maps.EqualFunc(before, indexFiles(t, oracle.StreamDir(storeDir, queryStream)), bytes.Equal),
				"the server touched index files")
			expectDefects(t, c.defects, defects)
		})
	}
}
