package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestFetchingForRemovalsChangesNothing: whatever is removed already, not loaded, or not in the stream.
func TestFetchingForRemovalsChangesNothing(t *testing.T) {
	s := removing(t)
	require.False(t, s.e.WantsFetch(7, &engine.Remove{Sequence: 1}))
	require.True(t, s.e.WantsFetch(8, &engine.Remove{Sequence: 1}))
	require.False(t, s.e.WantsFetch(8, store("a", 1).command), "of a few subjects only")
	left := 70
	for _, sequence := range []uint64{9, 12, 40, 8, 70} {
		commands := []engine.Command{&engine.Remove{Sequence: sequence}, store("a", 1).command, nil}
		for other := range uint64(80) {
			commands = append(commands, &engine.Remove{Sequence: other})
		}
		before := s.live()
		s.e.Fetch(len(commands), func(i int) engine.Command { return commands[i] })
		require.Equal(t, before, s.live())
		require.NoError(t, s.e.CheckInvariants())
		s.must(t, sent{"remove", &engine.Remove{Sequence: sequence}})
		left--
		require.Len(t, s.live(), left)
	}
	s.must(t, store("b", 1)) // is in the table of what was appended
	s.e.Fetch(1, func(int) engine.Command { return &engine.Remove{Sequence: 71} })
	s.must(t, sent{"remove", &engine.Remove{Sequence: 71}})
	require.Len(t, s.live(), left)
	s.e.Fetch(0, nil)
	require.NoError(t, s.e.CheckInvariants())
}
