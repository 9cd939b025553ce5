package actors_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestStoresBesideALargePurge: they go on while it removes more than one piece, and what they store stays.
func TestStoresBesideALargePurge(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			const messages = 20_000
			config := actors.Config{Dir: t.TempDir(), Sync: level}
			s := open(t, config)
			ctx := t.Context()
			for range messages / 1000 {
				batch := make([]actors.BatchMessage, 1000)
				for i := range batch {
					batch[i].Subject = []string{"gone", "stays"}[i%2]
				}
				_, err := s.StoreBatch(ctx, batch)
				require.NoError(t, err)
			}
			var over atomic.Bool
			stored := make(chan uint64)
			go func() {
				n := uint64(0)
				for ; !over.Load() || n < 10; n++ {
					if _, err := s.StoreMsg(ctx, []string{"gone", "stays"}[n%2], nil, nil); err != nil {
						t.Error(err)
						break
					}
				}
				stored <- n
			}()
			removed, err := s.PurgeEx(ctx, actors.Filter("gone"), messages+1, 0)
			over.Store(true)
			require.NoError(t, err)
			require.Equal(t, uint64(messages/2), removed)
			n := <-stored
			for range 2 {
				state := stateOf(t, s)
				require.Equal(t, messages/2+n, state.Messages)
				require.Equal(t, messages+n, state.LastSequence)
				require.Equal(t, uint64(2), state.FirstSequence)
				totals, err := s.SubjectsTotals(ctx, actors.Filter("gone"))
				require.NoError(t, err)
				require.Equal(t, (n+1)/2, totals["gone"])
				require.NoError(t, s.Stop(ctx))
				s = open(t, config)
			}
		})
	}
}
