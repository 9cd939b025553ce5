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

// TestAFlushToTheSystemHurries a group that lingers, and is answered when that is written, without a sync.
func TestAFlushToTheSystemHurries(t *testing.T) {
	cfg := testConfig()
	cfg.Level, cfg.Linger = engine.SyncNever, time.Millisecond
	s := newShell(cfg, newDisk(), engine.NewPublished(), 1e9)
	s.step(sent{"store", &engine.Store{}})
	s.turn()
	require.Len(t, s.replies, 1)
	require.Nil(t, s.commit)
	s.step(sent{"flush", &engine.Flush{ToSystem: true}})
	s.turn()
	require.NotNil(t, s.commit)
	require.Len(t, s.replies, 1, "before it is written")
	for _, op := range s.commit.Ops {
		require.NotEqual(t, engine.OpSync, op.Kind)
		require.False(t, op.Sync)
	}
	s.settle()
	require.Len(t, s.replies, 2)
	require.NoError(t, s.replies[1].Err)
}
