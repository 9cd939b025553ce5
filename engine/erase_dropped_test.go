package engine_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestAnErasureWaitsForTheFileOfADroppedBlock: the block of a message that was removed is dropped from among others,
// and the one before it accounts for its sequences. As long as its file is there, the erasure is not answered.
func TestAnErasureWaitsForTheFileOfADroppedBlock(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) { c.BlockSize = 120 })
	for range 4 {
		s.must(t, store("a", 30))
	}
	s.reopen()
	s.step(sent{"remove", &engine.Remove{Sequence: 2}})
	removes := func(w engine.Work) bool { return w.Kind == engine.WorkRemove }
	for s.turn(); !slices.ContainsFunc(s.work, removes); s.turn() {
		require.True(t, s.runAny())
	}
	held := s.hold(t, engine.WorkRemove, 2)
	s.settle()
	s.replies = nil
	s.step(sent{"erase", &engine.Erase{Sequence: 2}})
	s.settle()
	require.Empty(t, s.replies, "the file is there")
	s.work = append(s.work, held)
	s.settle()
	require.Len(t, s.replies, 1)
	require.NoError(t, s.replies[0].Err)
	require.Zero(t, s.replies[0].Count)
	_, there := s.disk.find(2, 2)
	require.False(t, there)
}
