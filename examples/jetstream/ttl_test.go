package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestBothLetMessagesExpire has messages with TTLs and delete markers go partly under Millrace and partly under the
// server, which goes by what Millrace has left: the headers, and no list of its own that could be an old one.
func TestBothLetMessagesExpire(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	storeDir := t.TempDir()
	streams := filepath.Dir(oracle.StreamDir(storeDir, millraceStream))
	require.NoError(t, os.MkdirAll(streams, 0o700))
	open := func() *actors.Store {
		system := interop.QuietSystem()
		t.Cleanup(system.Shutdown)
		store, err := actors.Open(ctx, system, actors.Config{
			Dir: streams, Name: millraceStream, Subjects: []string{"mill.>"}, SubjectDeleteMarkerTTL: time.Hour,
		})
		require.NoError(t, err)
		return store
	}
	put := func(store *actors.Store, subject string, ttl time.Duration) {
		_, err := store.StoreMsg(ctx, subject, nil, []byte("x"), actors.TTL(ttl))
		require.NoError(t, err)
	}
	store := open()
	put(store, "mill.first", time.Second)
	put(store, "mill.stays", time.Hour)
	put(store, "mill.ever", actors.Forever)
	taken := make(chan uint64, 1)
	_, err := store.Notices(ctx, func(list []actors.Notice) {
		for _, n := range list {
			if n.Reason == actors.NoticeTTL {
				taken <- n.Sequence
			}
		}
	})
	require.NoError(t, err)
	require.Equal(t, uint64(1), <-taken)
	put(store, "mill.second", 3*time.Second)
	put(store, "mill.stays", 3*time.Second) // not the last of its subject
	require.NoError(t, store.Stop(ctx))

	server, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	require.Eventually(t, func() bool {
		state, err := server.State(ctx, millraceStream)
		require.NoError(t, err)
		return state.Last == 7 && state.Messages == 4
	}, time.Minute, 10*time.Millisecond, "the server marks the one, and removes the other")
	server.Stop()

	store = open()
	var left []string
	for m, err := range store.Messages(ctx) {
		require.NoError(t, err)
		header, err := m.Header()
		require.NoError(t, err)
		left = append(left, m.Subject+" "+header.Get("Nats-TTL")+" "+header.Get("Nats-Marker-Reason"))
	}
	require.Equal(t, []string{
		"mill.stays 1h ", "mill.ever never ", "mill.first 1h0m0s MaxAge", "mill.second 1h0m0s MaxAge",
	}, left)
	require.NoError(t, store.Stop(ctx))
}
