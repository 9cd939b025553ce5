package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestRecoveryNeverShowsWhatWasGone: what readers have seen removed stays so when
// another engine takes over, and is not counted as removed again.
func TestRecoveryNeverShowsWhatWasGone(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 300 })
	for range 10 {
		s.must(t, store("a", 100))
	}
	s.removeBelow = 6
	s.recover(0, 0)
	state := s.pub.State()
	require.Equal(t, uint64(6), state.FirstSequence)
	require.Equal(t, uint64(5), state.Messages)
	require.Zero(t, s.pub.Counts().RemovedMsgs)
}

// TestTimesDoNotGoBackAcrossARestart unless the last message came from far ahead.
func TestTimesDoNotGoBackAcrossARestart(t *testing.T) {
	for _, row := range []struct {
		name  string
		ahead time.Duration
		keeps bool
	}{{"an hour", time.Hour, true}, {"a year", 365 * 24 * time.Hour, false}} {
		t.Run(row.name, func(t *testing.T) {
			s := open(nil)
			ahead := start + int64(row.ahead)
			s.must(t, raw(0, ahead))
			s.reopen()
			reply := s.must(t, store("a", 1))[0]
			if row.keeps {
				require.Equal(t, ahead, reply.Time)
			} else {
				require.Equal(t, start, reply.Time)
			}
		})
	}
}

// TestARecoveredTailIsSyncedInTheBackground like any other.
func TestARecoveredTailIsSyncedInTheBackground(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncInterval })
	s.must(t, store("a", 0))
	s.reopen()
	s.must(t, store("a", 0))
	require.Equal(t, []uint32{1}, s.disk.blocks(), "it goes on in the block that there was")
	s.wake(t, start+second)
	require.Equal(t, uint64(2), s.pub.Durable())
	require.Empty(t, s.disk.pending)
}

// TestAStreamServesWhenItsLimitsAreApplied, and not while a table for that is being loaded.
func TestAStreamServesWhenItsLimitsAreApplied(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) { c.BlockSize = 150 }) // five messages a block
	for i := range 30 {
		s.must(t, raw(0, start+int64(i)*second))
	}
	s.cfg.Limits.MaxAge = 20 * time.Second
	s.now = start + 45*second
	s.pub = engine.NewPublished()
	s.mount(0, 0)
	loads := 0
	for s.turn(); s.busy(); s.turn() {
		for _, w := range s.work {
			if w.Kind == engine.WorkLoad {
				loads++
				require.True(t, s.e.Opening())
				require.Zero(t, s.pub.Last(), "shown while the table of block %d is loaded", w.Block)
			}
		}
		s.runAny()
	}
	require.Positive(t, loads)
	require.False(t, s.e.Opening())
	require.Equal(t, uint64(27), s.pub.First())
}
