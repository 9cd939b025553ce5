package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestAcknowledgedGroupLingersForAMoment: at SyncNever a small group is answered
// at once and written when its time is up, when it has grown, or when somebody
// asks for it.
func TestAcknowledgedGroupLingersForAMoment(t *testing.T) {
	start := func() *shell {
		cfg := testConfig()
		cfg.Level, cfg.Linger, cfg.MaxUnwritten = engine.SyncNever, time.Millisecond, 1<<20
		cfg.BlockSize = 1 << 20
		return newShell(cfg, newDisk(), engine.NewPublished(), 1e9)
	}
	store := func(s *shell, size int) {
		s.step(sent{t.Name(), &engine.Store{Message: engine.Message{Payload: make([]byte, size)}}})
		s.turn()
	}
	t.Run("until its time is up", func(t *testing.T) {
		s := start()
		store(s, 10)
		require.Len(t, s.replies, 1)
		require.Nil(t, s.commit)
		at, ok := s.e.NextTick()
		require.True(t, ok)
		require.Equal(t, s.now+int64(time.Millisecond), at)
		s.tick(at - 1)
		s.turn()
		require.Nil(t, s.commit)
		s.tick(at)
		s.turn()
		require.NotNil(t, s.commit)
	})
	t.Run("until it is worth a write", func(t *testing.T) {
		s := start()
		store(s, 40<<10)
		require.Nil(t, s.commit)
		store(s, 40<<10)
		require.NotNil(t, s.commit)
	})
	t.Run("until a flush", func(t *testing.T) {
		s := start()
		store(s, 10)
		require.Nil(t, s.commit)
		s.step(sent{t.Name(), &engine.Flush{}})
		s.turn()
		require.NotNil(t, s.commit)
	})
}
