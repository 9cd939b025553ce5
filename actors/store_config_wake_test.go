package actors_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestUpdateConfigNeedsNobodyElse: a change of the limits of a stream where nothing else happens comes to its end by
// itself, one after the other, long before the stream would be woken up for being idle.
func TestUpdateConfigNeedsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.MaxMsgs = 5
		s := open(t, config)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		results := make(chan error, 3)
		for _, config := range []actors.Config{{MaxMsgs: 10}, {MaxMsgs: 3}, {MaxMsgsPer: 7}} {
			config.Name = "ORDERS"
			go func() { results <- s.UpdateConfig(ctx, config) }()
		}
		for range 3 {
			require.NoError(t, <-results)
		}
		mustStore(t, s, "a", "x")
		require.NoError(t, s.UpdateConfig(ctx, actors.Config{Name: "ORDERS", MaxMsgs: 10, MaxMsgsPer: 1}))
		require.NoError(t, s.Stop(t.Context()))
	})
}
