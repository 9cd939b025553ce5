package main

import (
	"bytes"
	"context"
	"fmt"
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

const (
	secretKey      = "a key of the server"
	otherSecretKey = "another one"
)

// secretConfig opens the stream of these tests with Millrace.
func secretConfig(storeDir string, cipher actors.Cipher) actors.Config {
	return actors.Config{
		Dir: filepath.Dir(oracle.StreamDir(storeDir, millraceStream)), Name: millraceStream, Subjects: []string{"mill.>"}, BlockSize: 32 << 10,
		Key: actors.ServerKey("$G", secretKey), Cipher: cipher, IndexFrom: 1,
	}
}

func openSecret(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(t.Context(), system, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	return store
}

// agree compares what a server reads in a copy of the directory with what Millrace reads in the directory itself.
func agree(t *testing.T, ctx context.Context, storeDir string, config actors.Config, key string, aes bool) {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, oracle.Place(copied, millraceStream, oracle.StreamDir(storeDir, millraceStream)))
	server, err := oracle.Start(copied, oracle.WithKey(key, aes))
	require.NoError(t, err)
	defer server.Stop()
	state, err := server.State(ctx, millraceStream)
	require.NoError(t, err)
	require.NotZero(t, state.Messages)
	require.NoError(t, interop.OpenMillraceWith(ctx, config, func(reading interop.Reading) error {
		_, err := interop.Compare(ctx, server, millraceStream, reading)
		return err
	}))
}

// TestBothTakeTurnsWithAnEncryptedStream lets one of the two make a stream, and then both change it in turns. Each reads all that the
// other has written. A consumer of the server stays what it was.
func TestBothTakeTurnsWithAnEncryptedStream(t *testing.T) {
	for _, aes := range []bool{false, true} {
		for _, first := range []string{"server", "Millrace"} {
			t.Run(fmt.Sprintf("AES %v, made by %s", aes, first), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				cipher := actors.CipherChaCha20
				if aes {
					cipher = actors.CipherAES
				}
				storeDir := t.TempDir()
				config := secretConfig(storeDir, cipher)
				if first == "Millrace" {
					store := openSecret(t, config)
					writeMixed(t, store)
					require.NoError(t, store.Stop(ctx))
				}
				server, err := oracle.Start(storeDir, oracle.WithKey(secretKey, aes))
				require.NoError(t, err)
				t.Cleanup(server.Stop)
				if first == "server" {
					_, err = server.JetStream().AddStream(&nats.StreamConfig{Name: millraceStream, Subjects: []string{"mill.>"}})
					require.NoError(t, err)
				}
				_, err = server.JetStream().AddConsumer(millraceStream, &nats.ConsumerConfig{Durable: "dur", AckPolicy: nats.AckExplicitPolicy})
				require.NoError(t, err)
				serverTurn(t, ctx, server)
				server.Stop()

				config.Cipher = actors.CipherAsStored
				for range 2 {
					agree(t, ctx, storeDir, config, secretKey, aes)
					store := openSecret(t, config)
					writeMixed(t, store)
					for sequence := uint64(10); sequence < 150; sequence += 3 {
						_, err := store.RemoveMsg(ctx, sequence)
						require.NoError(t, err)
					}
					_, err := store.EraseMsg(ctx, 12)
					require.NoError(t, err)
					require.NoError(t, store.Stop(ctx))
					agree(t, ctx, storeDir, config, secretKey, aes)

					require.NoError(t, server.Restart(nil))
					info, err := server.JetStream().ConsumerInfo(millraceStream, "dur")
					require.NoError(t, err)
					require.NotZero(t, info.AckFloor.Stream)
					serverTurn(t, ctx, server)
					server.Stop()
				}

				config.Cipher, config.Key, config.OldKey = actors.CipherChaCha20, actors.ServerKey("$G", otherSecretKey), config.Key
				if !aes {
					config.Cipher = actors.CipherAES
				}
				store := openSecret(t, config)
				writeMixed(t, store)
				require.NoError(t, store.Stop(ctx))
				agree(t, ctx, storeDir, config, otherSecretKey, !aes)
				require.True(t, hasConsumer(t, server, func() { server.Rekey(otherSecretKey, !aes) }))
				server.Stop()

				config.Cipher, config.OldKey = actors.CipherNone, nil
				store = openSecret(t, config)
				require.NoError(t, store.Stop(ctx))
				config.Cipher, config.Key = actors.CipherAsStored, nil
				agree(t, ctx, storeDir, config, "", false)
				require.True(t, hasConsumer(t, server, func() { server.Rekey("", false) }))
			})
		}
	}
}

// serverTurn lets the server change the stream.
func serverTurn(t *testing.T, ctx context.Context, server *oracle.Server) {
	t.Helper()
	js := server.JetStream()
	for i := range 300 {
		_, err := js.PublishMsg(&nats.Msg{
			Subject: fmt.Sprintf("mill.server.%d", i%5), Header: nats.Header{"Id": {fmt.Sprint(i)}}, Data: []byte(strings.Repeat("x", 3*i)),
		})
		require.NoError(t, err)
	}
	state, err := server.State(ctx, millraceStream)
	require.NoError(t, err)
	require.NoError(t, js.DeleteMsg(millraceStream, state.Last-20))
	sub, err := js.PullSubscribe("", "dur", nats.Bind(millraceStream, "dur"))
	require.NoError(t, err)
	messages, err := sub.Fetch(20, nats.Context(ctx))
	require.NoError(t, err)
	for _, m := range messages {
		require.NoError(t, m.AckSync(nats.Context(ctx)))
	}
	require.NoError(t, sub.Unsubscribe())
}

// hasConsumer restarts the server, and reports whether it still has the consumer with what was acknowledged.
func hasConsumer(t *testing.T, server *oracle.Server, change func()) bool {
	t.Helper()
	require.NoError(t, server.Restart(func() error { change(); return nil }))
	info, err := server.JetStream().ConsumerInfo(millraceStream, "dur")
	require.NoError(t, err)
	return info.AckFloor.Stream > 0
}

// TestServerReadsACrashImageOfAnEncryptedStream, copied while the store was open.
func TestServerReadsACrashImageOfAnEncryptedStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	live, image := t.TempDir(), t.TempDir()
	config := secretConfig(live, actors.CipherChaCha20)
	store := openSecret(t, config)
	writeMixed(t, store)
	require.NoError(t, oracle.Place(image, millraceStream, oracle.StreamDir(live, millraceStream)))
	agree(t, ctx, image, secretConfig(image, actors.CipherAsStored), secretKey, false)
}

// TestServerReadsLargeMessagesOfAnEncryptedStream: who writes that much at a time makes the key stream in another way.
func TestServerReadsLargeMessagesOfAnEncryptedStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	storeDir := t.TempDir()
	config := secretConfig(storeDir, actors.CipherChaCha20)
	config.BlockSize = 2 << 20
	store := openSecret(t, config)
	for i := range 30 { // three blocks
		payload := bytes.Repeat([]byte{byte(i)}, 1000+i*7000)
		_, err := store.StoreMsg(ctx, "mill.large", nil, payload)
		require.NoError(t, err)
	}
	require.NoError(t, store.Stop(ctx))
	agree(t, ctx, storeDir, secretConfig(storeDir, actors.CipherAsStored), secretKey, false)
}
