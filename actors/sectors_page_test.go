package actors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestAStreamOfOnePageThatCannotBeRead is opened when it was stopped cleanly: that shows which sequences were used.
// They are lost for as long as the page cannot be read.
func TestAStreamOfOnePageThatCannotBeRead(t *testing.T) {
	w := newSectorWorld(t, actors.Config{}, 5, false)
	s := open(t, w.config)
	for sequence := uint64(1); sequence <= 2; sequence++ {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	require.NoError(t, s.Stop(t.Context()))
	bad := w.fork()
	bad.spoil(1, 0, 4096)
	s = open(t, bad.config)
	for sequence := uint64(1); sequence <= 5; sequence++ {
		_, err := s.LoadMsg(t.Context(), sequence)
		if sequence <= 2 {
			require.ErrorIs(t, err, actors.ErrNotFound)
			continue
		}
		require.ErrorIs(t, err, actors.ErrCorrupt)
	}
	require.EqualValues(t, 3, stateOf(t, s).LostMessages)
	ack, err := s.StoreMsg(t.Context(), "s.0", nil, []byte("more"))
	require.NoError(t, err)
	require.EqualValues(t, 6, ack.Sequence)
	require.NoError(t, s.Stop(t.Context()))

	bad.attach() // it can be read again
	s = open(t, bad.config)
	for sequence := uint64(3); sequence <= 5; sequence++ {
		m, err := s.LoadMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.Equal(t, sectorPayload(sequence), string(m.Payload))
	}
	_, err = s.LoadMsg(t.Context(), 6)
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))

	crashed := newSectorWorld(t, actors.Config{}, 5, true)
	crashed.spoil(1, 0, 4096)
	_, err = actors.Open(t.Context(), quiet, crashed.config)
	require.ErrorContains(t, err, "shows which sequences were used")
}
