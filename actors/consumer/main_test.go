package consumer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// testSystem is the actor system of all tests, since one takes milliseconds to make.
var testSystem = actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
	actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))

// world is the two streams of a test.
type world struct {
	t             *testing.T
	dir           string
	source, state *actors.Store
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.source = w.open(actors.Config{Name: "WORK"})
	w.state = w.open(actors.Config{Name: "STATE"})
	return w
}

// open opens a stream, which is stopped at the end of the test.
func (w *world) open(config actors.Config) *actors.Store {
	w.t.Helper()
	config.Dir, config.Runtime = w.dir, actors.NewRuntime(actors.RuntimeConfig{})
	if config.Sync == 0 {
		config.Sync = actors.SyncInterval
	}
	store, err := actors.Open(w.t.Context(), testSystem, config)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = store.Stop(context.Background()) })
	return store
}

// consumer opens a consumer, which is stopped at the end of the test.
func (w *world) consumer(config Config) *Consumer {
	w.t.Helper()
	if config.Name == "" {
		config.Name = "c"
	}
	config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	c, err := Open(w.t.Context(), testSystem, w.source, w.state, config)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

// publish stores a message on each subject.
func (w *world) publish(subjects ...string) {
	w.t.Helper()
	for _, s := range subjects {
		_, err := w.source.StoreMsg(w.t.Context(), s, nil, []byte(s))
		require.NoError(w.t, err)
	}
}

func (w *world) publishMany(count int) {
	w.t.Helper()
	batch := make([]actors.BatchMessage, count)
	for i := range batch {
		batch[i].Subject = fmt.Sprint("orders.", i)
	}
	_, err := w.source.StoreBatch(w.t.Context(), batch)
	require.NoError(w.t, err)
}

// pull pulls what is there.
func (w *world) pull(c *Consumer, batch int) []Delivery {
	w.t.Helper()
	list, err := c.Pull(w.t.Context(), Pull{Batch: batch})
	require.NoError(w.t, err)
	return list
}

// pullAll pulls until so many messages have come, and returns them in their order: a pull waits for what is still being
// read, but not for long.
func (w *world) pullAll(c *Consumer, count int) (list []Delivery) {
	w.t.Helper()
	for len(list) < count {
		more, err := c.Pull(w.t.Context(), Pull{Batch: count - len(list), Expires: time.Minute})
		require.NoError(w.t, err)
		require.NotEmpty(w.t, more)
		list = append(list, more...)
	}
	slices.SortFunc(list, func(a, b Delivery) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return list
}

func (w *world) stats(c *Consumer) Stats {
	w.t.Helper()
	s, err := c.Stats(w.t.Context())
	require.NoError(w.t, err)
	return s
}

func sequences(list []Delivery) (s []uint64) {
	for _, d := range list {
		s = append(s, d.Sequence)
	}
	return s
}

func tokens(list []Delivery) (s []Token) {
	for _, d := range list {
		s = append(s, d.Token)
	}
	return s
}
