package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestAStreamWithSourcesGoesOnWhereItWas: a server of 2.15 notes in sources.db how far it has what other streams have.
// Millrace leaves that as it is, and the server goes on behind it with nothing twice and nothing missing. One of 2.14
// does so by the messages, and has no such file.
func TestAStreamWithSourcesGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	storeDir := t.TempDir()
	s, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	publish := func(n int) {
		for range n {
			_, err := s.JetStream().Publish("from.a", []byte("sourced"))
			require.NoError(t, err)
		}
	}
	has := func(n uint64) {
		require.Eventually(t, func() bool {
			state, err := s.State(ctx, "SOURCED")
			return err == nil && state.Subjects["from.a"] == n
		}, time.Minute, 10*time.Millisecond)
	}
	_, err = s.JetStream().AddStream(&nats.StreamConfig{Name: "FROM", Subjects: []string{"from.>"}})
	require.NoError(t, err)
	_, err = s.JetStream().AddStream(&nats.StreamConfig{Name: "SOURCED", Sources: []*nats.StreamSource{{Name: "FROM"}}})
	require.NoError(t, err)
	publish(20)
	has(20)
	s.Stop()

	path := filepath.Join(oracle.StreamDir(storeDir, "SOURCED"), "sources.db")
	before, err := os.ReadFile(path)
	if newest := !strings.HasPrefix(oracle.Version(), "2.14."); newest {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(ctx, system, actors.Config{Dir: filepath.Dir(filepath.Dir(path)), Name: "SOURCED"})
	require.NoError(t, err)
	_, err = store.StoreMsg(ctx, "ours", nil, []byte("ours"))
	require.NoError(t, err)
	removed, err := store.RemoveMsg(ctx, 3)
	require.NoError(t, err)
	require.True(t, removed)
	require.NoError(t, store.Stop(ctx))
	after, err := os.ReadFile(path)
	require.True(t, err == nil || errors.Is(err, fs.ErrNotExist))
	require.Equal(t, before, after)

	s, err = oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	publish(10)
	has(29)
	state, err := s.State(ctx, "SOURCED")
	require.NoError(t, err)
	require.EqualValues(t, 31, state.Last)
}
