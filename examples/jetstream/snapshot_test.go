package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// configOf reads the configuration that a stream's directory has.
func configOf(t *testing.T, dir string) (config server.StreamConfig) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "meta.inf"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &config))
	return config
}

// compareWith wants the server and Millrace to read the same of a stream.
func compareWith(t *testing.T, s *oracle.Server, streams, stream string) uint64 {
	t.Helper()
	var compared uint64
	require.NoError(t, interop.OpenMillrace(t.Context(), streams, stream, func(reading interop.Reading) (err error) {
		compared, err = interop.Compare(t.Context(), s, stream, reading)
		return err
	}))
	return compared
}

// TestServerRestoresASnapshotOfMillrace through its API, and has it still after another start.
func TestServerRestoresASnapshotOfMillrace(t *testing.T) {
	for _, row := range []struct {
		name string
		act  func(t *testing.T, store *actors.Store)
	}{
		{"mixed", writeMixed},
		{"empty", func(*testing.T, *actors.Store) {}},
		{"removed here and there, and at the end", func(t *testing.T, store *actors.Store) {
			writeMixed(t, store)
			for _, sequence := range []uint64{1, 2, 30, 200, 201, 706, 700} {
				_, err := store.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
			}
		}},
		{"purged", func(t *testing.T, store *actors.Store) {
			writeMixed(t, store)
			_, err := store.Purge(t.Context())
			require.NoError(t, err)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
			defer cancel()
			streams := t.TempDir()
			store := openStore(t, streams)
			row.act(t, store)
			var snapshot bytes.Buffer
			info, err := store.Snapshot(ctx, &snapshot, actors.SnapshotOptions{})
			require.NoError(t, err)
			require.NoError(t, store.Stop(ctx))

			storeDir := t.TempDir()
			s, err := oracle.Start(storeDir)
			require.NoError(t, err)
			t.Cleanup(s.Stop)
			require.NoError(t, s.Restore(ctx, configOf(t, filepath.Join(streams, millraceStream)), &snapshot))
			require.Equal(t, info.Messages, compareWith(t, s, streams, millraceStream))
			require.NoError(t, s.Restart(func() error { return s.RemoveIndex(millraceStream) }))
			require.Equal(t, info.Messages, compareWith(t, s, streams, millraceStream))
			ack, err := s.JetStream().Publish("mill.server", []byte("one more"))
			require.NoError(t, err)
			require.Equal(t, info.LastSequence+1, ack.Sequence)
		})
	}
}

// TestMillraceRestoresASnapshotOfTheServer with its consumer, which goes on where it was when the server has the
// stream again.
func TestMillraceRestoresASnapshotOfTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	s, err := oracle.Start(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	js := s.JetStream()
	_, err = js.AddStream(&nats.StreamConfig{Name: millraceStream, Subjects: []string{"mill.>"}, Compression: nats.S2Compression})
	require.NoError(t, err)
	for i := range 300 {
		message := nats.NewMsg(fmt.Sprintf("mill.%d", i%7))
		message.Data = bytes.Repeat([]byte{byte(i)}, i%200)
		if i%3 == 0 {
			message.Header.Set("I", fmt.Sprint(i))
		}
		_, err := js.PublishMsg(message)
		require.NoError(t, err)
	}
	for _, sequence := range []uint64{1, 50, 51, 299, 300} {
		require.NoError(t, js.DeleteMsg(millraceStream, sequence))
	}
	sub, err := js.PullSubscribe("mill.>", "worker", nats.BindStream(millraceStream))
	require.NoError(t, err)
	batch, err := sub.Fetch(40)
	require.NoError(t, err)
	for _, m := range batch {
		require.NoError(t, m.AckSync())
	}
	var snapshot bytes.Buffer
	require.NoError(t, s.Snapshot(ctx, millraceStream, &snapshot))

	streams, archived := t.TempDir(), bytes.Clone(snapshot.Bytes())
	info, err := actors.Restore(ctx, streams, &snapshot, actors.RestoreOptions{Name: millraceStream})
	if !strings.HasPrefix(oracle.Version(), "2.14.") {
		require.ErrorIs(t, err, actors.ErrIsBackup)
		restoreBackup(ctx, t, s, archived)
		return
	}
	require.NoError(t, err)
	require.Equal(t, 1, info.Consumers)
	require.Equal(t, uint64(295), compareWith(t, s, streams, millraceStream))

	// And back.
	store := openStore(t, streams)
	var back bytes.Buffer
	taken, err := store.Snapshot(ctx, &back, actors.SnapshotOptions{Consumers: true})
	require.NoError(t, err)
	require.Equal(t, 1, taken.Consumers)
	require.NoError(t, store.Stop(ctx))
	require.NoError(t, js.DeleteStream(millraceStream))
	require.NoError(t, s.Restore(ctx, configOf(t, filepath.Join(streams, millraceStream)), &back))
	require.Equal(t, uint64(295), compareWith(t, s, streams, millraceStream))
	consumer, err := js.ConsumerInfo(millraceStream, "worker")
	require.NoError(t, err)
	require.Equal(t, uint64(41), consumer.AckFloor.Stream)
}

// restoreBackup wants a backup of a server's stream, with a consumer, to be restored here, and the server to restore ours.
func restoreBackup(ctx context.Context, t *testing.T, s *oracle.Server, archived []byte) {
	t.Helper()
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	streams, consumers := t.TempDir(), 0
	config := actors.Config{Dir: streams, Name: millraceStream, Compression: actors.On}
	info, err := actors.RestoreBackup(ctx, system, config, bytes.NewReader(archived), actors.RestoreBackupOptions{
		Consumer: func(name string, state []byte) error {
			require.Equal(t, "worker", name)
			require.True(t, json.Valid(state))
			consumers++
			return nil
		},
	})
	require.NoError(t, err)
	require.EqualValues(t, 295, info.Messages)
	require.Equal(t, 1, consumers)
	require.Equal(t, uint64(295), compareWith(t, s, streams, millraceStream))

	store := openStore(t, streams)
	var back bytes.Buffer
	_, err = store.Backup(ctx, &back, actors.BackupOptions{})
	require.NoError(t, err)
	require.NoError(t, store.Stop(ctx))
	require.NoError(t, s.JetStream().DeleteStream(millraceStream))
	require.NoError(t, s.Restore(ctx, server.StreamConfig{Name: millraceStream, Subjects: []string{"mill.>"}, Storage: server.FileStorage}, &back))
	require.Equal(t, uint64(295), compareWith(t, s, streams, millraceStream))
}

// TestServerRefusesAnIncrement, which it would else restore without the blocks that are left out.
func TestServerRefusesAnIncrement(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	streams := t.TempDir()
	store := openStore(t, streams)
	writeMixed(t, store)
	whole, err := store.Snapshot(ctx, new(bytes.Buffer), actors.SnapshotOptions{})
	require.NoError(t, err)
	var increment bytes.Buffer
	info, err := store.Snapshot(ctx, &increment, actors.SnapshotOptions{Since: whole.Catalog})
	require.NoError(t, err)
	require.Equal(t, info.Blocks, info.LeftOut)
	s, err := oracle.Start(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.Error(t, s.Restore(ctx, configOf(t, filepath.Join(streams, millraceStream)), &increment))
	_, err = s.State(ctx, millraceStream)
	require.ErrorIs(t, err, nats.ErrStreamNotFound)
}
