package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/queries"
)

// queryStream is the stream of the tests in which the server writes.
const queryStream = "QUERY"

// publishMany publishes messages of a handful of subjects, of which some have one message and some
// many, and some are only in the first or in the last blocks.
func publishMany(t *testing.T, s *oracle.Server, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		subject := fmt.Sprintf("q.%c.%d", 'a'+i%3, i*i%11)
		switch {
		case i%17 == 0:
			subject = fmt.Sprintf("q.once.%d.x", i)
		case i%5 == 0:
			subject = fmt.Sprintf("q.block.%d", i/40)
		case i%7 == 0:
			subject = "q"
		}
		message := nats.NewMsg(subject)
		message.Data = make([]byte, i%60)
		if i%4 == 0 {
			message.Header.Set("I", fmt.Sprint(i))
		}
		_, err := s.JetStream().PublishMsg(message)
		require.NoError(t, err)
	}
}

func deleteAll(t *testing.T, s *oracle.Server, sequences ...uint64) {
	t.Helper()
	for _, sequence := range sequences {
		require.NoError(t, s.JetStream().DeleteMsg(queryStream, sequence))
	}
}

// skip uses up sequences, as a mirror does.
func skip(t *testing.T, s *oracle.Server, count uint64) {
	t.Helper()
	store, err := s.FileStore(queryStream)
	require.NoError(t, err)
	var state server.StreamState
	store.FastState(&state)
	require.NoError(t, store.SkipMsgs(state.LastSeq+1, count))
}

// sequences are first .. last.
func sequences(first, last uint64) (list []uint64) {
	for sequence := first; sequence <= last; sequence++ {
		list = append(list, sequence)
	}
	return list
}

// TestQueriesAgreeOnWhatTheServerWrote lets the server write, in small blocks, and asks both.
func TestQueriesAgreeOnWhatTheServerWrote(t *testing.T) {
	const blockSize = 1500
	holes := []string{queries.MultiLastAbove, queries.PendingMultiNil}
	tailGone := append([]string{queries.FilteredAllLast, queries.LastOfAllDeleted}, holes...)
	for _, c := range []struct {
		name      string
		config    server.StreamConfig
		blockSize uint64
		write     func(*testing.T, *oracle.Server)
		defects   []string
	}{
		{name: "plain", blockSize: 8 << 20, defects: holes[:1],
			write: func(t *testing.T, s *oracle.Server) { publishMany(t, s, 0, 150) }},
		{name: "blocks", defects: holes[:1], write: func(t *testing.T, s *oracle.Server) { publishMany(t, s, 0, 200) }},
		{name: "interior deletes", defects: append(tailGone[:4:4], queries.FromTimeGap, queries.PendingLastStale, queries.FilteredLastStale), write: func(t *testing.T, s *oracle.Server) {
			publishMany(t, s, 0, 200)
			deleteAll(t, s, sequences(40, 75)...) // whole blocks among them
			deleteAll(t, s, 1, 2, 5, 100, 102, 104, 199, 200)
		}},
		{name: "erases", defects: append(holes[:2:2], queries.MultiLastOverlap), write: func(t *testing.T, s *oracle.Server) {
			publishMany(t, s, 0, 120)
			for _, sequence := range []uint64{1, 7, 8, 30, 31, 32, 33, 77, 118} {
				require.NoError(t, s.JetStream().SecureDeleteMsg(queryStream, sequence))
			}
		}},
		{name: "purges by subject", defects: append(holes[:2:2], queries.FromTimeGap), write: func(t *testing.T, s *oracle.Server) {
			publishMany(t, s, 0, 200)
			for _, request := range []nats.StreamPurgeRequest{
				{Subject: "q.a.*", Keep: 3}, {Subject: "q.block.>"}, {Subject: "q", Sequence: 120}, {Subject: "q.b.4", Keep: 1},
			} {
				require.NoError(t, s.JetStream().PurgeStream(queryStream, &request))
			}
			publishMany(t, s, 200, 220)
		}},
		{name: "purge up to a sequence", defects: holes[:1], write: func(t *testing.T, s *oracle.Server) {
			publishMany(t, s, 0, 150)
			require.NoError(t, s.JetStream().PurgeStream(queryStream, &nats.StreamPurgeRequest{Sequence: 93}))
		}},
		{name: "purge of everything", write: func(t *testing.T, s *oracle.Server) {
			publishMany(t, s, 0, 60)
			require.NoError(t, s.JetStream().PurgeStream(queryStream))
		}},
		{name: "skips", defects: tailGone, write: func(t *testing.T, s *oracle.Server) {
			skip(t, s, 5)
			publishMany(t, s, 0, 60)
			skip(t, s, 30)
			publishMany(t, s, 60, 120)
			skip(t, s, 3)
		}},
		{name: "limit of messages", config: server.StreamConfig{MaxMsgs: 77}, defects: holes[:1],
			write: func(t *testing.T, s *oracle.Server) { publishMany(t, s, 0, 200) }},
		{name: "limit of bytes", config: server.StreamConfig{MaxBytes: 5000}, defects: holes[:1],
			write: func(t *testing.T, s *oracle.Server) { publishMany(t, s, 0, 200) }},
		{name: "first sequence", config: server.StreamConfig{FirstSeq: 1000}, defects: holes[:1],
			write: func(t *testing.T, s *oracle.Server) { publishMany(t, s, 0, 60) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storeDir := t.TempDir()
			s, err := oracle.Start(storeDir, oracle.WithSyncInterval(time.Hour))
			require.NoError(t, err)
			t.Cleanup(s.Stop)
			c.config.Name, c.config.Subjects, c.config.Replicas = queryStream, []string{"q", "q.>"}, 1
			if c.blockSize == 0 {
				c.blockSize = blockSize
			}
			require.NoError(t, s.CreateStream(c.config, c.blockSize))
			c.write(t, s)
			expectDefects(t, c.defects, askBoth(t, s, storeDir, queryStream))
		})
	}
}
