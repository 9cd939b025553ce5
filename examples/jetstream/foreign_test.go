package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

const sharedStream = "SHARED"

// startShared starts a server with a stream that has some messages, and returns where its streams are.
func startShared(t *testing.T) (s *oracle.Server, streams string) {
	t.Helper()
	storeDir := t.TempDir()
	s, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	_, err = s.JetStream().AddStream(&nats.StreamConfig{Name: sharedStream, Subjects: []string{"shared.>"}})
	require.NoError(t, err)
	publishShared(t, s, 1, 200)
	return s, filepath.Dir(oracle.StreamDir(storeDir, sharedStream))
}

// publishShared publishes messages whose payloads are their sequences.
func publishShared(t *testing.T, s *oracle.Server, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		ack, err := s.JetStream().Publish(fmt.Sprint("shared.", i%5), fmt.Append(nil, i))
		require.NoError(t, err)
		require.EqualValues(t, i, ack.Sequence)
	}
}

// TestReaderBesideAServer: what a running server has stored is read, while it goes on, and nothing else.
func TestReaderBesideAServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	s, streams := startShared(t)
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	last, opened := 200, 0
	for range 20 {
		reader, err := actors.Open(ctx, system, actors.Config{Dir: streams, Name: sharedStream, ReadOnly: true})
		if errors.Is(err, actors.ErrChanged) {
			continue
		}
		require.NoError(t, err)
		opened++
		publishShared(t, s, last+1, last+50)
		require.NoError(t, s.JetStream().DeleteMsg(sharedStream, uint64(last-20)))
		state, err := reader.FastState(ctx)
		require.NoError(t, err)
		require.LessOrEqual(t, state.LastSequence, uint64(last))
		require.Zero(t, state.LostMessages)
		seen := uint64(0)
		for m, err := range reader.Messages(ctx) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(m.Sequence), string(m.Payload))
			seen++
		}
		require.Equal(t, state.Messages, seen)
		report, err := reader.Verify(ctx, actors.VerifyOptions{})
		require.NoError(t, err)
		require.Zero(t, report.Damage)
		require.NoError(t, reader.Stop(ctx))
		last += 50
	}
	require.Greater(t, opened, 10)
	require.NoFileExists(t, filepath.Join(streams, sharedStream, "millrace.lock"))
}

// TestServerWritesIntoAnOpenStream: a store of ours that is open notices it, and stays failed.
func TestServerWritesIntoAnOpenStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	s, streams := startShared(t)
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(ctx, system, actors.Config{Dir: streams, Name: sharedStream, NoPreallocation: true})
	require.NoError(t, err)
	publishShared(t, s, 201, 210)
	_, err = store.StoreMsg(ctx, "shared.ours", nil, []byte("ours"))
	require.ErrorIs(t, err, actors.ErrChanged)
	require.ErrorContains(t, err, "1.blk: had ")
	_, err = store.StoreMsg(ctx, "shared.ours", nil, []byte("ours"))
	require.ErrorIs(t, err, actors.ErrFailed)
	require.ErrorIs(t, store.Stop(ctx), actors.ErrChanged)
	// Nothing of ours has gone between what the server has.
	publishShared(t, s, 211, 220)
	for sequence := uint64(1); sequence <= 220; sequence++ {
		m, err := s.JetStream().GetMsg(sharedStream, sequence)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(sequence), string(m.Data))
	}
}

// TestServerWritesWhileAStreamIsStopped: only the stop notices what a server has written into a stream that was idle.
func TestServerWritesWhileAStreamIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	s, streams := startShared(t)
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(ctx, system, actors.Config{Dir: streams, Name: sharedStream, NoPreallocation: true})
	require.NoError(t, err)
	publishShared(t, s, 201, 210)
	require.ErrorIs(t, store.Stop(ctx), actors.ErrChanged)
	_, err = os.Stat(filepath.Join(streams, sharedStream, "msgs", "millrace.end"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
