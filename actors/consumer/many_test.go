package consumer

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestManyConsumersComeAndGo: one that has nothing to do has no goroutine, also one whose messages wait for their time, and of
// those that are deleted nothing is left, in memory or in the stream with their state.
func TestManyConsumersComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.publish("a", "b")
		const many = 300
		for range 2 {
			synctest.Wait()
			before := runtime.NumGoroutine()
			var all []*Consumer
			for i := range many {
				all = append(all, w.consumer(Config{Name: fmt.Sprint("c", i), AckWait: time.Hour}))
				require.Len(t, w.pull(all[i], 1), 1)
			}
			synctest.Wait()
			require.Less(t, runtime.NumGoroutine(), before+many/10)
			for _, c := range all {
				require.NoError(t, c.Delete(t.Context()))
			}
			synctest.Wait()
			require.Less(t, runtime.NumGoroutine(), before+many/10)
			left, err := w.state.FastState(t.Context())
			require.NoError(t, err)
			require.Zero(t, left.Messages)
		}
	})
}
