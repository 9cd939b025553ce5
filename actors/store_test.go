package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// quiet is the actor system of all tests: one costs milliseconds and megabytes. A
// dead letter starts a goroutine that lives as long as the interval.
var quiet = actor.NewActorSystem(
	actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }),
	actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
)

// open opens a store that has not failed when the test ends.
func open(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	s := openToFail(t, config)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

// openToFail opens a store that may have failed when the test ends.
func openToFail(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	if config.Name == "" {
		config.Name = "ORDERS"
	}
	s, err := actors.Open(t.Context(), quiet, config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// TestStoredIsReadBack stores at every level, reads by sequence and by scan, and
// does so again after a restart.
func TestStoredIsReadBack(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10}
			s := open(t, config)
			const n = 500
			for i := range n {
				ack, err := s.StoreMsg(t.Context(), subjectOf(i), headerOf(i), payloadOf(i))
				require.NoError(t, err)
				require.Equal(t, uint64(i+1), ack.Sequence)
				m, err := s.LoadMsg(t.Context(), ack.Sequence)
				require.NoError(t, err)
				checkMessage(t, m, i)
			}
			checkAll(t, s, n)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
			checkAll(t, s, n)
			_, err := s.StoreMsg(t.Context(), subjectOf(n), headerOf(n), payloadOf(n))
			require.NoError(t, err)
			checkAll(t, s, n+1)
		})
	}
}

func subjectOf(i int) string { return fmt.Sprintf("orders.%d", i%7) }

func headerOf(i int) actors.Header {
	if i%3 != 0 {
		return nil
	}
	return actors.Header{"Id": {fmt.Sprint(i)}}
}

func payloadOf(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i%200) }

func checkMessage(t *testing.T, m actors.Message, i int) {
	t.Helper()
	require.Equal(t, uint64(i+1), m.Sequence)
	require.Equal(t, subjectOf(i), m.Subject)
	h, err := m.Header()
	require.NoError(t, err)
	require.Equal(t, headerOf(i).Get("Id"), h.Get("Id"))
	require.True(t, bytes.Equal(payloadOf(i), m.Payload))
}

func checkAll(t *testing.T, s *actors.Store, n int) {
	t.Helper()
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(n), state.Messages)
	require.Equal(t, uint64(n), state.LastSequence)
	i := 0
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		checkMessage(t, m, i)
		i++
	}
	require.Equal(t, n, i)
	for i := range n {
		m, err := s.LoadMsg(t.Context(), uint64(i+1))
		require.NoError(t, err)
		checkMessage(t, m, i)
	}
}
