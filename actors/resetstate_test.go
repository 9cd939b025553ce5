package actors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestResetStateTouchesNoData, by the handle and by an actor.
func TestResetStateTouchesNoData(t *testing.T) {
	s := open(t, actors.Config{AllowMsgSchedules: actors.On})
	mustStore(t, s, "a", "there")
	before, err := s.State(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.ResetState(t.Context()))
	require.Equal(t, &actors.ResetStateReply{Tag: 1}, newClient(t, 1).ask(t, s, &actors.ResetStateRequest{Tag: 1}))
	after, err := s.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, s.Stop(t.Context()))
	require.ErrorIs(t, s.ResetState(t.Context()), actors.ErrStopped)
}
