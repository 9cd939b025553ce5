package protoactor

import (
	"context"
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// testSystem has all actors of the tests: a new one takes milliseconds and megabytes.
var testSystem = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
	return slog.New(slog.DiscardHandler)
}))

// TestMain sees to it that no test leaves a goroutine behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// testConfig is a stream with blocks of which a test fills several.
func testConfig(fsys blockio.FS) actors.Config {
	return actors.Config{Dir: "/streams", Name: "ACTORS", FS: fsys, BlockSize: 4 << 10, Logger: slog.New(slog.DiscardHandler)}
}

// openTest opens a stream, which the test stops, and a provider on it.
func openTest(t *testing.T, fsys blockio.FS, config Config) (*Provider, *actors.Store) {
	t.Helper()
	store, err := actors.Open(t.Context(), testSystem, testConfig(fsys))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	p, err := New(store, config)
	require.NoError(t, err)
	return p, store
}

// failure returns what a call panics with, nil if it does not.
func failure(t *testing.T, call func()) (failed *Error) {
	t.Helper()
	defer func() {
		if reason := recover(); reason != nil {
			var ok bool
			if failed, ok = reason.(*Error); !ok {
				t.Fatalf("it panics with %v", reason)
			}
		}
	}()
	call()
	return nil
}
