package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

var imageCount = flag.Int("images", 25, "how many directories are copied while either one writes")

// imagePayload is what message i of a writer has.
func imagePayload(i uint64) []byte {
	payload := make([]byte, 20+i*37%700)
	for j := range payload {
		payload[j] = byte(i) + byte(j/9)
	}
	return payload
}

// imageStreamName is the stream that is written to meanwhile.
const imageStreamName = "IMAGE"

// messagesLeft is how many messages a writer leaves when it removes the oldest.
const messagesLeft = 1500

// copied is the copy of a directory in which somebody wrote meanwhile.
type copied struct {
	streams string
	acked   uint64 // was acknowledged before the copy began
	gone    uint64 // messages up to here were asked to be removed before it ended
}

// TestImagesOfWhoWrites copies the directory of a stream again and again while a server or Millrace writes to it, with a sync
// for each message. Each copy is opened by Millrace, and then by the server's store, and has every message that was acknowledged
// before the copy began.
func TestImagesOfWhoWrites(t *testing.T) {
	for _, row := range []struct {
		name     string
		compress bool
		write    func(t *testing.T, dir string, compress bool, acked, gone *atomic.Uint64) (stop func())
	}{
		{"server", false, writeByAServer}, {"server, with S2", true, writeByAServer},
		{"Millrace", false, writeByUs}, {"Millrace, with S2", true, writeByUs},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			storeDir := t.TempDir()
			var acked, gone atomic.Uint64
			stop := row.write(t, storeDir, row.compress, &acked, &gone)
			var images []copied
			for tries, last := 0, uint64(0); len(images) < *imageCount; tries++ {
				require.Eventually(t, func() bool { return acked.Load() > last }, time.Minute, time.Millisecond)
				last = acked.Load()
				image := copied{streams: t.TempDir(), acked: acked.Load()}
				dir := oracle.StreamDir(storeDir, imageStreamName)
				before := stateFile(t, dir)
				err := oracle.CopyStream(filepath.Join(image.streams, imageStreamName), dir)
				if (errors.Is(err, fs.ErrNotExist) || stateFile(t, dir) != before) && tries < 100**imageCount {
					// A file went while it was to be read, or the state in the copy knows of blocks that were made after the
					// names were read, which are lost then: this is a copy of nothing.
					continue
				}
				require.NoError(t, err)
				if image.gone = gone.Load(); image.gone >= image.acked {
					continue
				}
				images = append(images, image)
			}
			stop()
			for i, image := range images {
				first := requireImage(t, fmt.Sprint("image ", i), image)
				store, err := oracle.OpenLone(filepath.Join(image.streams, imageStreamName), imageConfig(row.compress), 0)
				require.NoError(t, err)
				theirs, err := theirs{store}.observe()
				require.NoError(t, err)
				require.Equal(t, first, tripState{scriptState: theirs}, "image %d, by the server when we had it", i)
				require.NoError(t, store.Stop())
				require.NoError(t, os.RemoveAll(image.streams))
			}
			require.Greater(t, images[len(images)-1].acked, images[0].acked)
		})
	}
}

// stateFile tells one state of a directory from the next.
func stateFile(t *testing.T, dir string) string {
	t.Helper()
	stat, err := os.Stat(filepath.Join(dir, "msgs", "index.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	require.NoError(t, err)
	return fmt.Sprint(stat.Size(), stat.ModTime().UnixNano())
}

func imageConfig(compress bool) server.StreamConfig {
	config := server.StreamConfig{Name: imageStreamName, Subjects: []string{"image.>"}, Storage: server.FileStorage, Replicas: 1}
	if compress {
		config.Compression = server.S2Compression
	}
	return config
}

// requireImage opens an image with Millrace, and wants to find what was acknowledged.
func requireImage(t *testing.T, what string, image copied) tripState {
	t.Helper()
	system := interop.QuietSystem()
	defer system.Shutdown()
	store, err := actors.Open(t.Context(), system, actors.Config{Dir: image.streams, Name: imageStreamName})
	require.NoError(t, err, what)
	for sequence := image.gone + 1; sequence <= image.acked; sequence++ {
		m, err := store.LoadMsg(t.Context(), sequence)
		require.NoError(t, err, "%s: message %d of %d", what, sequence, image.acked)
		require.Equal(t, imagePayload(sequence), m.Payload, "%s: message %d", what, sequence)
	}
	state, err := (&tripOurs{t.Context(), store}).observe()
	require.NoError(t, err, what)
	require.NoError(t, store.Stop(t.Context()))
	state.alike = nil
	return state
}

// writing runs a writer until it is stopped: it stores message after message, and now and then has the oldest removed.
func writing(t *testing.T, acked, gone *atomic.Uint64, store func(ctx context.Context, i uint64) error, removeBelow func(ctx context.Context, sequence uint64) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done, begun := make(chan error, 1), make(chan struct{})
	go func() {
		for i := uint64(1); ctx.Err() == nil; i++ {
			if err := store(t.Context(), i); err != nil {
				done <- err
				return
			}
			acked.Store(i)
			if i == 50 {
				close(begun)
			}
			if i%200 == 0 && i > messagesLeft {
				gone.Store(i - messagesLeft)
				if err := removeBelow(t.Context(), i-messagesLeft+1); err != nil {
					done <- err
					return
				}
			}
		}
		done <- nil
	}()
	select {
	case <-begun:
	case err := <-done:
		require.NoError(t, err)
	}
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func writeByAServer(t *testing.T, dir string, compress bool, acked, gone *atomic.Uint64) (stop func()) {
	s, err := oracle.Start(dir, oracle.WithSyncAlways())
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	require.NoError(t, s.CreateStream(imageConfig(compress), 8<<10))
	client := &tripClient{server: s, name: imageStreamName}
	return writing(t, acked, gone, func(ctx context.Context, i uint64) error {
		_, err := s.JetStream().Publish(fmt.Sprintf("image.%d", i%5), imagePayload(i))
		return err
	}, func(ctx context.Context, sequence uint64) error {
		client.ctx = ctx
		_, err := client.purge("", sequence, 0)
		return err
	})
}

func writeByUs(t *testing.T, dir string, compress bool, acked, gone *atomic.Uint64) (stop func()) {
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(t.Context(), system, actors.Config{
		Dir: filepath.Dir(oracle.StreamDir(dir, imageStreamName)), Name: imageStreamName, Subjects: []string{"image.>"},
		BlockSize: 8 << 10, Compression: onIf(compress), IndexFrom: 1,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	return writing(t, acked, gone, func(ctx context.Context, i uint64) error {
		_, err := store.StoreMsg(ctx, fmt.Sprintf("image.%d", i%5), nil, imagePayload(i))
		return err
	}, func(ctx context.Context, sequence uint64) error {
		_, err := store.Compact(ctx, sequence)
		return err
	})
}
