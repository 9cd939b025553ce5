package engine_test

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestAStopWritesNothingBehindItself: blocks that lose their last message as the stream stops are dropped by the next
// opening, and the stop is answered.
func TestAStopWritesNothingBehindItself(t *testing.T) {
	for _, size := range []int64{30, 64, 100, 400} {
		for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
			for seed := range 60 {
				rng := rand.New(rand.NewSource(int64(seed)))
				cfg := testConfig()
				cfg.BlockSize, cfg.Level, cfg.Linger = size, level, 1e6
				s := newShell(cfg, newDisk(), engine.NewPublished(), start)
				for i := range 40 {
					s.step(sent{"store", &engine.Store{Message: engine.Message{Subject: []string{"a", "b", "c"}[rng.Intn(3)]}}})
					switch rng.Intn(8) {
					case 0:
						s.step(sent{"skip", &engine.Skip{Count: 3}})
					case 1:
						s.step(sent{"remove", &engine.Remove{Sequence: uint64(1 + rng.Intn(i+1))}})
					case 2:
						s.turn()
					}
				}
				s.step(purgeOf("b", 0, 2))
				s.step(sent{"stop", &engine.Stop{}})
				s.settle()
				answered := false
				for _, r := range s.replies {
					answered = answered || r.Tag == "stop" && r.Err == nil
				}
				require.True(t, answered, "size %d, level %v, seed %d", size, level, seed)
				before := s.pub.State()
				s.reopen()
				after := s.pub.State()
				before.Durable, after.Durable = 0, 0
				require.Equal(t, before, after)
			}
		}
	}
}
