package actors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestNoMatchSaysWhereItLooked: downwards nothing is "above the last one".
func TestNoMatchSaysWhereItLooked(t *testing.T) {
	s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS()})
	for range 3 {
		mustStore(t, s, "a", "x")
	}
	for start, says := range map[uint64]string{3: "at or before 3", 100: "at or before 100", 1: "at or before 1"} {
		_, _, err := s.LoadPrevMsg(t.Context(), start, actors.Filter("b.*"))
		require.ErrorIs(t, err, actors.ErrEOF)
		require.ErrorContains(t, err, "no message "+says+" is selected")
		require.NotContains(t, err.Error(), "above")
	}
	for start, filter := range map[uint64]string{2: "b.*", 4: ">"} {
		_, _, err := s.LoadNextMsg(t.Context(), start, actors.Filter(filter))
		require.ErrorIs(t, err, actors.ErrEOF)
		require.ErrorContains(t, err, "on is selected")
	}
}
