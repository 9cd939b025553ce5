package actors

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestBuffersAreUsedAgainAsFarAsThatIsSafe: not those that a reader may hold, not more than the
// bound, and none when nobody writes.
func TestBuffersAreUsedAgainAsFarAsThatIsSafe(t *testing.T) {
	pool := NewRuntime(RuntimeConfig{SpareBytes: 2 * engine.BufferSize, TailBytes: 4 * engine.BufferSize}).buffers
	const held = 5
	var out [held + 1][]byte
	for i := range out {
		require.Equal(t, i > 4, pool.Tight())
		out[i] = pool.Get()
		require.Len(t, out[i], engine.BufferSize)
		out[i][0] = byte(i + 1)
	}
	require.True(t, pool.Tight())
	pool.Put(out[0], false)
	require.Zero(t, pool.Get()[0], "a buffer that a reader may hold is used again")
	for i := 1; i < held; i++ {
		pool.Put(out[i], true)
	}
	require.False(t, pool.Tight())
	again := 0
	for range held {
		if pool.Get()[0] != 0 {
			again++
		}
	}
	require.Equal(t, 2, again, "as many as are to be kept")
	for range held + 2 {
		pool.Put(make([]byte, engine.BufferSize), true)
	}
	require.Zero(t, pool.out.Load())
	require.Empty(t, pool.spare, "nobody writes")
}
