package read

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestGateBoundsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2)
		out := make(chan struct{})
		for range 5 {
			go func() {
				g.Enter()
				<-out
				g.Leave()
			}()
		}
		for _, want := range [][2]int{{2, 3}, {2, 2}, {2, 1}, {2, 0}, {1, 0}, {0, 0}} {
			synctest.Wait()
			require.Equal(t, want, [2]int{g.Inside(), g.Waiting()})
			if want[0] > 0 {
				out <- struct{}{}
			}
		}
	})
}
