package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestMillraceAndServerAgreeOnGoldenStores compares the two over what nats-server wrote.
func TestMillraceAndServerAgreeOnGoldenStores(t *testing.T) {
	for _, name := range []string{"basic", "headers", "deletes", "multi-block", "schedules", "compressed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden, dir := loadGolden(t, name)
			streams := t.TempDir()
			require.NoError(t, oracle.CopyStream(filepath.Join(streams, golden.Stream), dir))
			for range 2 { // with index.db, and without
				var out bytes.Buffer
				require.NoError(t, verify(t.Context(), streams, t.TempDir(), &out))
				require.Contains(t, out.String(), fmt.Sprintf("agree: %d messages", golden.State.Messages))
				require.NoError(t, oracle.RemoveIndexFile(filepath.Join(streams, golden.Stream)))
			}
		})
	}
}

// millraceStream is the stream of the tests in which Millrace writes.
const millraceStream = "MILL"

// openStore opens the stream in dir with Millrace, until the test ends or the store is stopped.
func openStore(t *testing.T, dir string) *actors.Store {
	t.Helper()
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(t.Context(), system, actors.Config{Dir: dir, Name: millraceStream,
		Subjects: []string{"mill.>"}, BlockSize: 32 << 10})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	return store
}

// writeMixed stores single messages, headers, large payloads, batches and a skip.
func writeMixed(t *testing.T, store *actors.Store) {
	t.Helper()
	ctx := t.Context()
	for i := range 200 {
		var header actors.Header
		if i%3 == 0 {
			header = actors.Header{"Id": {fmt.Sprint(i)}, "Empty": {""}}
		}
		_, err := store.StoreMsg(ctx, fmt.Sprintf("mill.single.%d", i%7), header, bytes.Repeat([]byte{byte(i)}, i*5))
		require.NoError(t, err)
	}
	for i := range 20 {
		batch := make([]actors.BatchMessage, 25)
		for j := range batch {
			batch[j] = actors.BatchMessage{Subject: fmt.Sprintf("mill.batch.%d", j), Payload: fmt.Appendf(nil, "%d-%d", i, j)}
		}
		batch[7].Header = actors.Header{"Batch": {fmt.Sprint(i)}}
		_, err := store.StoreBatch(ctx, batch)
		require.NoError(t, err)
	}
	_, err := store.Skip(ctx, 0, 5)
	require.NoError(t, err)
	_, err = store.StoreMsg(ctx, "mill.last", nil, nil)
	require.NoError(t, err)
}

// TestServerReadsWhatMillraceWrote compares the two over a stream that Millrace closed.
func TestServerReadsWhatMillraceWrote(t *testing.T) {
	t.Parallel()
	streams := t.TempDir()
	store := openStore(t, streams)
	writeMixed(t, store)
	require.NoError(t, store.Stop(t.Context()))
	var out bytes.Buffer
	require.NoError(t, verify(t.Context(), streams, t.TempDir(), &out))
	require.Contains(t, out.String(), "agree: 701 messages")
}

// TestServerReadsACrashImage compares the two over files copied while the store was open, which end
// as a crash leaves them.
func TestServerReadsACrashImage(t *testing.T) {
	t.Parallel()
	live, image := t.TempDir(), t.TempDir()
	store := openStore(t, live)
	writeMixed(t, store)
	require.NoError(t, oracle.CopyStream(filepath.Join(image, millraceStream), filepath.Join(live, millraceStream)))
	var out bytes.Buffer
	require.NoError(t, verify(t.Context(), image, t.TempDir(), &out))
	require.Contains(t, out.String(), "agree: 701 messages")
}

// TestBothTakeTurns lets Millrace write, the server append and delete, and Millrace go on.
func TestBothTakeTurns(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	storeDir := t.TempDir()
	streams := filepath.Dir(oracle.StreamDir(storeDir, millraceStream))
	require.NoError(t, os.MkdirAll(streams, 0o700))
	for range 3 {
		store := openStore(t, streams)
		writeMixed(t, store)
		require.NoError(t, store.Stop(ctx))

		server, err := oracle.Start(storeDir)
		require.NoError(t, err)
		t.Cleanup(server.Stop)
		before, err := server.State(ctx, millraceStream)
		require.NoError(t, err)
		for i := range 10 {
			_, err := server.JetStream().Publish("mill.server", fmt.Appendf(nil, "from the server %d", i))
			require.NoError(t, err)
		}
		require.NoError(t, server.JetStream().DeleteMsg(millraceStream, before.Last-20))
		require.NoError(t, server.JetStream().DeleteMsg(millraceStream, before.Last+5))
		after, err := server.State(ctx, millraceStream)
		require.NoError(t, err)
		require.Equal(t, before.Last+10, after.Last)
		server.Stop()
		require.NoError(t, verify(ctx, streams, t.TempDir(), new(bytes.Buffer)))
	}
}

// TestVerifyFindsALostMessage cuts the last record off Millrace's copy only, and wants it noticed.
func TestVerifyFindsALostMessage(t *testing.T) {
	t.Parallel()
	golden, dir := loadGolden(t, "basic")
	storeDir, streams := t.TempDir(), t.TempDir()
	require.NoError(t, oracle.Place(storeDir, golden.Stream, dir))
	require.NoError(t, oracle.CopyStream(filepath.Join(streams, golden.Stream), dir))
	require.NoError(t, oracle.RemoveIndexFile(filepath.Join(streams, golden.Stream)))
	block := filepath.Join(streams, golden.Stream, "msgs", "1.blk")
	info, err := os.Stat(block)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(block, info.Size()-3))
	server, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	err = interop.OpenMillrace(t.Context(), streams, golden.Stream, func(reading interop.Reading) error {
		_, err := interop.Compare(t.Context(), server, golden.Stream, reading)
		return err
	})
	var difference *interop.Difference
	require.ErrorAs(t, err, &difference)
	require.Equal(t, "messages", difference.What)
}
