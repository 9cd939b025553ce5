package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// removing returns a stream of 70 messages in 10 blocks, of which no table is in memory.
func removing(t *testing.T) *shell {
	t.Helper()
	t.Cleanup(engine.SetKeepRecords(0))
	s := open(sevenABlock)
	for range 70 {
		s.must(t, store("a", 100))
	}
	s.reopen()
	return s
}

// TestTablesOfRemovalsAreBounded: removals all over a stream do not bring all tables into memory; that of the
// block that was looked at the longest ago goes first, and comes back when it is needed.
func TestTablesOfRemovalsAreBounded(t *testing.T) {
	t.Cleanup(engine.SetMostLent(21))
	s := removing(t)
	now := start
	remove := func(sequence uint64) (loads int) {
		t.Helper()
		now += millisecond
		s.tick(now)
		s.step(sent{"remove", &engine.Remove{Sequence: sequence}})
		for {
			s.turn()
			for _, w := range s.work {
				if w.Kind == engine.WorkLoad {
					loads++
				}
			}
			if !s.runAny() {
				return loads
			}
		}
	}
	for block := range uint64(10) {
		require.Positive(t, remove(block*7+1))
		records, tables := s.e.LentRecords()
		require.LessOrEqual(t, records, 21)
		require.LessOrEqual(t, tables, 3)
	}
	require.Zero(t, remove(7*7+2))
	require.Positive(t, remove(2))
	require.Zero(t, remove(7*7+3), "it was used after that of the block behind it")
	require.Positive(t, remove(8*7+3))
	require.Len(t, s.live(), 70-14)
}

// TestTablesOfRemovalsGoWhenIdle: a stream that nobody writes to keeps none.
func TestTablesOfRemovalsGoWhenIdle(t *testing.T) {
	s := removing(t)
	s.must(t, sent{"remove", &engine.Remove{Sequence: 10}})
	_, tables := s.e.LentRecords()
	require.Equal(t, 1, tables)
	at, ok := s.e.NextTick()
	require.True(t, ok)
	s.tick(at)
	_, tables = s.e.LentRecords()
	require.Zero(t, tables)
}
