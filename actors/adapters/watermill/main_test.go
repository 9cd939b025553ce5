package pubsub

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

// testSystem has the actors of all streams of the tests: a new one takes milliseconds and megabytes.
var testSystem = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
	return slog.New(slog.DiscardHandler)
}))

// TestMain sees to it that no test leaves a goroutine behind, but for those of watermill's own suite: where it joins many
// subscribers, it leaves messages that it has read and does not want.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe.func2"),
		goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe.func3"))
}

// openStream opens a stream, which the test stops.
func openStream(t *testing.T, fsys blockio.FS, dir, name string) *actors.Store {
	t.Helper()
	store, err := actors.Open(t.Context(), testSystem, actors.Config{
		Dir: dir, Name: name, FS: fsys, BlockSize: 64 << 10, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop(context.Background())) })
	return store
}

// openTest opens both streams in a folder, and a PubSub on them. change, if it is not nil, changes its configuration.
func openTest(t *testing.T, fsys blockio.FS, dir string, change func(*Config)) *PubSub {
	t.Helper()
	config := Config{Messages: openStream(t, fsys, dir, "MESSAGES"), Cursors: openStream(t, fsys, dir, "CURSORS")}
	if change != nil {
		change(&config)
	}
	p, err := New(config)
	require.NoError(t, err)
	return p
}
