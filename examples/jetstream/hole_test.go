package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestAServerOpensWhatACrashLeavesOfLargeMessages: the last block ends in a hole of a MiB. The server has all messages, and goes
// on behind them; and so does Millrace behind the server.
func TestAServerOpensWhatACrashLeavesOfLargeMessages(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	storeDir := t.TempDir()
	crashed := oracle.StreamDir(storeDir, sharedStream)
	live := actors.Config{Dir: t.TempDir(), Name: sharedStream, Subjects: []string{"shared.>"}}
	store, err := actors.Open(ctx, system, live)
	require.NoError(t, err)
	payload := bytes.Repeat([]byte{0xa5}, 40<<10)
	for range 3 {
		_, err = store.StoreMsg(ctx, "shared.1", nil, payload)
		require.NoError(t, err)
	}
	require.NoError(t, os.CopyFS(crashed, os.DirFS(filepath.Join(live.Dir, live.Name))))
	require.NoError(t, store.Stop(ctx))
	block, err := os.Stat(filepath.Join(crashed, "msgs", "1.blk"))
	require.NoError(t, err)
	require.Greater(t, block.Size(), int64(1<<20))

	server, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	for sequence := range uint64(3) {
		m, err := server.JetStream().GetMsg(sharedStream, sequence+1)
		require.NoError(t, err)
		require.True(t, bytes.Equal(payload, m.Data))
	}
	ack, err := server.JetStream().PublishMsg(&nats.Msg{Subject: "shared.2", Data: []byte("of the server")})
	require.NoError(t, err)
	require.EqualValues(t, 4, ack.Sequence)
	server.Stop()

	store, err = actors.Open(ctx, system, actors.Config{Dir: filepath.Dir(crashed), Name: sharedStream})
	require.NoError(t, err)
	state, err := store.FastState(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, state.Messages)
	require.Zero(t, state.LostMessages)
	m, err := store.LoadMsg(ctx, 4)
	require.NoError(t, err)
	require.Equal(t, "of the server", string(m.Payload))
	require.NoError(t, store.Stop(ctx))
}
