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
			ahead := raw(0, start+int64(row.ahead))
			s.must(t, ahead)
			s.reopen()
			reply := s.must(t, store("a", 1))[0]
			if row.keeps {
				require.Equal(t, ahead.Time, reply.Time)
			} else {
				require.Equal(t, start, reply.Time)
			}
		})
	}
}
