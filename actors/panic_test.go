package actors

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// TestPanicInTheEngineTellsEverybodyOnce: the operation that brought it about, those
// before it in its group, those behind it in the mailbox, and those without credit. Then the
// store recovers.
func TestPanicInTheEngineTellsEverybodyOnce(t *testing.T) {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	shared := NewRuntime(RuntimeConfig{})
	var log bytes.Buffer
	config := Config{
		Dir: t.TempDir(), Name: "ORDERS", MaxInFlight: 8, Runtime: shared,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	s, err := Open(t.Context(), system, config)
	require.NoError(t, err)
	_, err = s.StoreMsg(t.Context(), "a", nil, []byte("before"))
	require.NoError(t, err)
	// Memory that is too small for a large record: the engine cannot know of it.
	shared.buffers.spare = append(shared.buffers.spare, make([]byte, 8))
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			payload := []byte("secret")
			if i%10 == 5 {
				payload = make([]byte, 100<<10)
			}
			for {
				if _, err := s.StoreMsg(context.Background(), "a", nil, payload); err != nil {
					if !errors.Is(err, ErrFailed) || errors.Is(err, ErrStopped) {
						t.Errorf("not failed: %v", err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, s.Ready(t.Context()))
	_, err = s.StoreMsg(t.Context(), "a", nil, []byte("after"))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Stats().Crashes)
	require.EqualValues(t, 1, s.Stats().Recoveries)
	require.NoError(t, s.Stop(t.Context()))
	ops, held := s.credits.InFlight()
	require.Zero(t, ops, "each gives its credit back once")
	require.Zero(t, held)
	require.NotContains(t, log.String(), "secret")
	s, err = Open(t.Context(), system, Config{Dir: config.Dir, Name: "ORDERS"})
	require.NoError(t, err)
	m, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "before", string(m.Payload))
	require.NoError(t, s.Stop(t.Context()))
}
