package actors_test

import (
	"context"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAnEncodedStateMakesAnotherCopyTheSame, by SyncDeleted of what was decoded: a copy that has all messages loses
// those that the stream has lost. The deleted sequences are ordered and disjoint.
func TestAnEncodedStateMakesAnotherCopyTheSame(t *testing.T) {
	config := actors.Config{Dir: "data", BlockSize: 4096}
	config.FS = blocktest.NewMemFS()
	s := open(t, config)
	config.FS = blocktest.NewMemFS()
	replica := open(t, config)
	for i := range 300 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
		mustStore(t, replica, subjectOf(i), string(payloadOf(i)))
	}
	rng := rand.New(rand.NewSource(1))
	for range 90 {
		_, _ = s.RemoveMsg(t.Context(), 1+rng.Uint64()%300)
	}
	_, err := s.Compact(t.Context(), 20)
	require.NoError(t, err)
	want, err := s.State(t.Context())
	require.NoError(t, err)

	encoded, err := s.EncodedStreamState(t.Context(), 7)
	require.NoError(t, err)
	byActor := newClient(t, 1).ask(t, s, &actors.EncodedStateRequest{Failed: 7, Tag: 1})
	require.Equal(t, &actors.EncodedStateReply{State: encoded, Tag: 1}, byActor)
	state, err := actors.DecodeStreamState(encoded)
	require.NoError(t, err)
	require.Equal(t, actors.StreamState{
		Messages: want.Messages, Bytes: want.Bytes, FirstSequence: want.FirstSequence, LastSequence: 300, Failed: 7,
		Deleted: want.DeletedRanges,
	}, state)
	for i, d := range state.Deleted {
		require.LessOrEqual(t, d.First, d.Last)
		require.True(t, i == 0 || d.First > state.Deleted[i-1].Last+1, "%v", state.Deleted)
	}
	_, err = replica.SyncDeleted(t.Context(), append(state.Deleted, actors.SequenceRange{First: 1, Last: state.FirstSequence - 1}))
	require.NoError(t, err)
	got, err := replica.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.DeletedRanges, got.DeletedRanges)
	require.Equal(t, want.FirstSequence, got.FirstSequence)
	require.Equal(t, want.Messages, got.Messages)

	_, err = actors.DecodeStreamState([]byte("no state"))
	require.ErrorIs(t, err, actors.ErrBadStreamStateEncoding)
	_, err = actors.DecodeStreamState(encoded[:len(encoded)-1])
	require.ErrorIs(t, err, actors.ErrCorruptStreamState)
	require.NoError(t, s.Stop(t.Context()))
	again, err := s.EncodedStreamState(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, encoded, again, "a stopped store knows its last state")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.EncodedStreamState(ended, 0)
	require.ErrorIs(t, err, context.Canceled)
}

// TestAnEmptyStreamIsEncodedInAFewBytes, and one of which a whole stretch is gone as well.
func TestAnEmptyStreamIsEncodedInAFewBytes(t *testing.T) {
	s := open(t, actors.Config{})
	encoded, err := s.EncodedStreamState(t.Context(), 9)
	require.NoError(t, err)
	require.Equal(t, []byte{42, 1, 0, 0, 0, 0, 9, 0}, encoded)
	mustStore(t, s, "a", "first")
	_, err = s.Skip(t.Context(), 2, 5_000_000)
	require.NoError(t, err)
	mustStore(t, s, "a", "last")
	encoded, err = s.EncodedStreamState(t.Context(), 0)
	require.NoError(t, err)
	require.LessOrEqual(t, len(encoded), 22)
}

// TestUtilizationTellsWhatRemovedMessagesTake, and what a compaction wins back.
func TestUtilizationTellsWhatRemovedMessagesTake(t *testing.T) {
	s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), BlockSize: 1 << 20, CompactBelow: -1})
	total, reported, err := s.Utilization(t.Context())
	require.NoError(t, err)
	require.Zero(t, total)
	require.Zero(t, reported)
	for range 10 {
		mustStore(t, s, "a", string(make([]byte, 1000)))
	}
	full := 10 * uint64(actors.RecordSize(1, 0, 1000))
	total, reported, err = s.Utilization(t.Context())
	require.NoError(t, err)
	require.Equal(t, full, reported)
	require.Equal(t, full+10*30, total, "each commit has a mark; zeros that are written ahead do not count")
	for sequence := uint64(2); sequence < 10; sequence += 2 {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	total, reported, err = s.Utilization(t.Context())
	require.NoError(t, err)
	require.Equal(t, stateOf(t, s).Bytes, reported)
	require.Greater(t, total, full, "nothing is won back yet")
	reply := newClient(t, 1).ask(t, s, &actors.UtilizationRequest{Tag: 3})
	require.Equal(t, &actors.UtilizationReply{Total: total, Reported: reported, Tag: 3}, reply)
	require.NoError(t, s.Stop(t.Context()))
	_, _, err = s.Utilization(t.Context())
	require.ErrorIs(t, err, actors.ErrStopped)
}
