package engine_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestASnapshotOfSubjectsStaysAsItIs, whatever the engine stores and removes after it.
func TestASnapshotOfSubjectsStaysAsItIs(t *testing.T) {
	s := open(func(c *engine.Config) { c.Limits.MaxMsgs = 3 })
	s.must(t, store("a", 0), store("b", 0), store("a", 0))
	before, tree := s.pub.Snapshot(), s.pub.Subjects()
	for range 10 {
		s.must(t, store("b", 0), store("c", 0))
	}
	for _, subjects := range []interface {
		Len() int
	}{before.Subjects, tree} {
		require.Equal(t, 2, subjects.Len())
	}
	a, ok := before.Subjects.Get([]byte("a"))
	require.True(t, ok)
	require.Equal(t, uint64(2), a.Count)
	require.Equal(t, uint64(3), a.Last)
	b, ok := before.Subjects.Get([]byte("b"))
	require.True(t, ok)
	require.Equal(t, uint64(1), b.Count)
	_, ok = before.Subjects.Get([]byte("c"))
	require.False(t, ok)
	_, ok = s.pub.Snapshot().Subjects.Get([]byte("a"))
	require.False(t, ok, "a new one is as the stream is")
}

// TestReadersSeeTheHighestTimeOfABlock, which a search by time goes by.
func TestReadersSeeTheHighestTimeOfABlock(t *testing.T) {
	s := open(nil)
	s.must(t, raw(0, start+5*second))
	require.Equal(t, start+5*second, s.pub.View().Blocks()[0].LastTime())
	s.must(t, raw(0, start))
	require.Equal(t, start+5*second, s.pub.View().Blocks()[0].LastTime())
	s.must(t, raw(0, start+9*second))
	require.Equal(t, start+9*second, s.pub.View().Blocks()[0].LastTime())
	s.reopen()
	require.Equal(t, start+9*second, s.pub.View().Blocks()[0].LastTime())
}

// TestAnAgeBeyondTheEndOfTimeNeedsNoTick.
func TestAnAgeBeyondTheEndOfTimeNeedsNoTick(t *testing.T) {
	s := aged(t, time.Duration(math.MaxInt64))
	s.must(t, store("a", 0))
	s.wake(t, start+10*second) // its memory goes
	_, ok := s.e.NextTick()
	require.False(t, ok)
	require.Equal(t, uint64(1), s.pub.State().Messages)
}
