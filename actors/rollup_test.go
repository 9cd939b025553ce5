package actors_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestRollup takes the place of other messages by option, and by header where the stream's configuration says so.
func TestRollup(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S", MaxMsgs: 100}
	s := open(t, config)
	ctx := t.Context()
	for range 3 {
		mustStore(t, s, "a", "x")
		mustStore(t, s, "b", "x")
	}
	_, err := s.StoreMsg(ctx, "a", nil, nil, actors.Rollup(actors.RollupSubject), actors.ExpectLastOfSubject("a", 5))
	require.NoError(t, err)
	state := stateOf(t, s)
	require.EqualValues(t, 4, state.Messages)
	require.EqualValues(t, 2, state.FirstSequence)
	rollup := func(kind actors.RollupKind) []actors.StoreOption { return []actors.StoreOption{actors.Rollup(kind)} }
	_, err = s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a"}, {Subject: "a", Options: rollup(actors.RollupAll)}})
	require.ErrorIs(t, err, actors.ErrRollupInBatch)
	require.EqualValues(t, 4, stateOf(t, s).Messages)
	batch, err := s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a"}, {Subject: "b"}, {Subject: "a", Options: rollup(actors.RollupSubject)}})
	require.NoError(t, err)
	require.Equal(t, [2]uint64{8, 10}, [2]uint64{batch.First, batch.Last})
	states, err := s.SubjectsState(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]actors.SubjectState{"a": {Messages: 1, First: 10, Last: 10}, "b": {Messages: 4, First: 2, Last: 9}}, states)

	header := actors.Header{"Nats-Rollup": {"all"}}
	_, err = s.StoreMsg(ctx, "b", header, nil)
	require.NoError(t, err)
	require.EqualValues(t, 6, stateOf(t, s).Messages, "the header means nothing")
	require.NoError(t, s.Stop(ctx))

	config.AllowRollup = actors.On
	s = open(t, config)
	require.NoError(t, s.Stop(ctx))
	meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "S"), "S")
	require.NoError(t, err)
	require.True(t, meta.AllowRollup)
	config.AllowRollup = actors.AsStored
	s = open(t, config)
	_, err = s.StoreMsg(ctx, "b", actors.Header{"Nats-Rollup": {"none"}}, nil)
	require.ErrorIs(t, err, actors.ErrBadHeader)
	ack, err := s.StoreMsg(ctx, "b", header, nil)
	require.NoError(t, err)
	state = stateOf(t, s)
	require.EqualValues(t, 1, state.Messages)
	require.Equal(t, ack.Sequence, state.FirstSequence)
	require.EqualValues(t, 1, state.Subjects)
}
