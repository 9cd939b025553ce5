package consumer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhoLeavesKeepsNobodyWaiting: messages that were handed to somebody who had just gone come to the next at once, and a stop
// does not wait for them.
func TestWhoLeavesKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for round := range rounds {
		c := w.consumer(Config{Name: fmt.Sprint("c", round), Start: StartNew, AckWait: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var leaving sync.WaitGroup
		var got atomic.Int32
		for range 8 {
			leaving.Go(func() {
				for ctx.Err() == nil && !isDone(c) {
					list, _ := c.Pull(ctx, Pull{Batch: 3, Expires: time.Hour}) // the error is that of the context
					got.Add(int32(len(list)))
				}
			})
		}
		w.publish("a", "b")
		if round%2 == 1 {
			leaving.Go(cancel) // while it stops
		} else {
			cancel()
			leaving.Wait()
			for got.Load() < 2 { // what nobody has got comes at once, although AckWait is long
				list, err := c.Pull(t.Context(), Pull{Batch: 3, Expires: 20 * time.Second})
				require.NoError(t, err)
				require.NotEmpty(t, list, "round %d", round)
				got.Add(int32(len(list)))
			}
		}
		stopping, giveUp := context.WithTimeout(t.Context(), 20*time.Second)
		require.NoError(t, c.Stop(stopping), "round %d", round)
		giveUp()
		cancel()
		leaving.Wait()
	}
}

func isDone(c *Consumer) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}
