package actors

import (
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// TestIdlePipelineHoldsNoPayload of the messages that went through it.
func TestIdlePipelineHoldsNoPayload(t *testing.T) {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	s, err := Open(t.Context(), system, Config{Dir: t.TempDir(), Name: "ORDERS", Sync: SyncNever, MaxMsgs: 1})
	require.NoError(t, err)
	p := s.Pipeline(8, nil)
	held := func() (bytes int) {
		for i := range p.ring {
			o := &p.ring[i]
			require.Empty(t, o.store.Subject)
			require.Nil(t, o.store.Header)
			require.Nil(t, o.store.Payload)
			bytes += cap(o.scratch)
		}
		return bytes
	}
	for _, size := range []int{1 << 10, 1 << 20} {
		for range 20 {
			_, err := p.Store(t.Context(), "a", Header{"A": {"1"}}, make([]byte, size))
			require.NoError(t, err)
		}
		require.NoError(t, p.Wait(t.Context()))
		require.LessOrEqual(t, held(), 8*maxSpareScratch)
	}
	_, err = p.Store(t.Context(), "a", Header{"": {"1"}}, nil)
	require.ErrorIs(t, err, ErrBadHeader)
	require.NoError(t, s.Stop(t.Context()))
	_, err = p.Store(t.Context(), "a", nil, make([]byte, 1<<20))
	require.ErrorIs(t, err, ErrStopped)
	require.LessOrEqual(t, held(), 8*maxSpareScratch)
}
