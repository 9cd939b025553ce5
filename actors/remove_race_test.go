package actors_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestCountsAreOfOneInstant: what is removed from the first half of a stream while a question is being answered
// does not change how many messages there are from the middle on.
func TestCountsAreOfOneInstant(t *testing.T) {
	const n = 3000
	s := open(t, actors.Config{BlockSize: 16 << 10, Sync: actors.SyncNever, IndexFrom: 4 << 10})
	for i := range n {
		mustStore(t, s, fmt.Sprintf("k.%d", i%3), "payload")
	}
	require.NoError(t, s.Flush(t.Context()))
	done := make(chan error, 1)
	go func() {
		for sequence := uint64(1); sequence < n/2; sequence += 2 {
			if _, err := s.RemoveMsg(t.Context(), sequence); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	asked := 0
	for over := false; !over || asked < 50; asked++ {
		select {
		case err := <-done:
			require.NoError(t, err)
			over = true
		default:
		}
		got, _, err := s.NumPending(t.Context(), n/2+1, actors.Filter("k.0", "k.1"))
		require.NoError(t, err)
		require.Equal(t, uint64(n/2/3*2), got)
	}
}
