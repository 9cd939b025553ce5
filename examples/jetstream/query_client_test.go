package main

import (
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/queries"
)

// TestQueriesAgreeWithWhatClientsAreTold asks the server as its clients do: for the subjects of a
// stream, for messages by direct get, and by consumers for how many are pending.
func TestQueriesAgreeWithWhatClientsAreTold(t *testing.T) {
	t.Parallel()
	storeDir := t.TempDir()
	store := create(t, storeDir, actors.Config{})
	writeQueried(t, store, 12)
	finish(t, store, storeDir)
	server, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	deleteAll(t, server, 1, 5, 6, 7, 44, 45, 100)
	require.NoError(t, server.JetStream().PurgeStream(queryStream, &nats.StreamPurgeRequest{Subject: "q.batch.1.3"}))
	copied := t.TempDir()
	require.NoError(t, server.Restart(func() error {
		return oracle.CopyStream(filepath.Join(copied, queryStream), oracle.StreamDir(storeDir, queryStream))
	}))
	info, err := server.JetStream().StreamInfo(queryStream)
	require.NoError(t, err)
	info.Config.AllowDirect = true
	_, err = server.JetStream().UpdateStream(&info.Config)
	require.NoError(t, err)

	naive := naiveOf(t, server, queryStream)
	client := queries.NewClient(server.Conn(), server.JetStream(), queryStream)
	questions, defects, err := queries.Judge(client, naive, queries.ClientPlan(naive))
	require.NoError(t, err)
	t.Logf("%d questions", len(questions))
	expectDefects(t, []string{queries.ConsumerSkips}, defects)
	ask(t, copied, queryStream, 1, questions)
}
