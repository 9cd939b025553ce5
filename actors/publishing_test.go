package actors_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWhatHeadersMeanCanChange while a store runs: roll-ups, and how long and how many ids are remembered.
func TestWhatHeadersMeanCanChange(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	config := actors.Config{
		Dir: t.TempDir(), Name: "S", Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return now }}),
	}
	s := open(t, config)
	ctx := t.Context()
	update := func(change func(*actors.Config)) {
		t.Helper()
		next := actors.Config{Name: "S"}
		change(&next)
		require.NoError(t, s.UpdateConfig(ctx, next))
	}
	put := func(id string) actors.Ack {
		t.Helper()
		ack, err := s.StoreMsg(ctx, "a", actors.Header{"Nats-Msg-Id": {id}, "Nats-Rollup": {"sub"}}, nil)
		require.NoError(t, err)
		return ack
	}
	meta := func() *blockio.StreamMeta {
		t.Helper()
		meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "S"), "S")
		require.NoError(t, err)
		return meta
	}
	put("one")
	require.False(t, put("one").Duplicate)
	require.EqualValues(t, 2, stateOf(t, s).Messages, "the headers mean nothing")

	update(func(c *actors.Config) { c.Duplicates = time.Hour })
	require.Equal(t, time.Hour, meta().DuplicateWindow)
	require.False(t, put("one").Duplicate, "it was stored before")
	require.True(t, put("one").Duplicate)
	update(func(c *actors.Config) { c.MaxMsgs = 100 })
	require.True(t, put("one").Duplicate, "0 is what is in force")
	put("two")
	put("three")
	update(func(c *actors.Config) { c.MaxDuplicates = 2 })
	require.False(t, put("one").Duplicate, "two came after it")
	require.True(t, put("three").Duplicate)
	update(func(c *actors.Config) { c.Duplicates = time.Minute })
	now = now.Add(time.Minute)
	require.False(t, put("three").Duplicate)
	update(func(c *actors.Config) { c.Duplicates = -1 })
	require.False(t, put("three").Duplicate)
	_, err := s.StoreMsg(ctx, "a", nil, nil, actors.MsgID("three"))
	require.ErrorIs(t, err, actors.ErrBadMsgID)

	require.EqualValues(t, 8, stateOf(t, s).Messages)
	update(func(c *actors.Config) { c.AllowRollup = actors.On })
	require.True(t, meta().AllowRollup)
	put("one")
	require.EqualValues(t, 1, stateOf(t, s).Messages)
	update(func(c *actors.Config) { c.MaxMsgs = 200 })
	put("one")
	require.EqualValues(t, 1, stateOf(t, s).Messages)
	update(func(c *actors.Config) { c.AllowRollup = actors.Off })
	require.False(t, meta().AllowRollup)
	put("one")
	require.EqualValues(t, 2, stateOf(t, s).Messages)
	require.ErrorIs(t, s.UpdateConfig(ctx, actors.Config{Name: "S", AllowRollup: actors.Off + 1}), actors.ErrConfig)
	require.ErrorIs(t, s.UpdateConfig(ctx, actors.Config{Name: "S", Duplicates: time.Millisecond}), actors.ErrConfig)

	update(func(c *actors.Config) { c.Duplicates, c.MaxDuplicates, c.AllowRollup = time.Hour, 10, actors.On })
	require.NoError(t, s.Stop(ctx))
	s = open(t, config)
	put("four")
	require.False(t, put("four").Duplicate, "what is stored does not turn it on")
	require.EqualValues(t, 1, stateOf(t, s).Messages, "and roll-ups it does")
}

// TestTheWindowOfIdsIsNoLongerThanMessagesLive in what is stored: a nats-server would refuse the stream.
func TestTheWindowOfIdsIsNoLongerThanMessagesLive(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S", Duplicates: time.Hour, MaxAge: time.Minute}
	window := func() time.Duration {
		meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "S"), "S")
		require.NoError(t, err)
		return meta.DuplicateWindow
	}
	s := open(t, config)
	require.Equal(t, time.Minute, window())
	for _, age := range []time.Duration{time.Second, 30 * time.Second, 2 * time.Hour} {
		require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "S", MaxAge: age}))
		require.Equal(t, min(age, time.Hour), window())
	}
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "S", Duplicates: -1, MaxAge: time.Second}))
	require.Equal(t, time.Second, window())
}

// TestWhatHeadersMeanSurvivesAFailureAndATruncation.
func TestWhatHeadersMeanSurvivesAFailureAndATruncation(t *testing.T) {
	s, files := faulty(t, actors.Config{})
	ctx := t.Context()
	require.NoError(t, s.UpdateConfig(ctx, actors.Config{Name: s.Name(), Duplicates: time.Hour, AllowRollup: actors.On}))
	put := func(id string) (actors.Ack, error) {
		return s.StoreMsg(ctx, "a", actors.Header{"Nats-Msg-Id": {id}}, nil)
	}
	for _, id := range []string{"one", "two"} {
		_, err := put(id)
		require.NoError(t, err)
	}
	_, err := s.Truncate(ctx, 1)
	require.NoError(t, err)
	ack, err := put("one")
	require.NoError(t, err)
	require.True(t, ack.Duplicate)
	files.SetHook(blocktest.FailAt(files.Count(), blocktest.ErrIO))
	_, err = put("three")
	require.ErrorIs(t, err, actors.ErrFailed)
	eventually(t, recovered(s))
	ack, err = put("one")
	require.NoError(t, err)
	require.True(t, ack.Duplicate)
	_, err = s.StoreMsg(ctx, "a", actors.Header{"Nats-Rollup": {"all"}}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, stateOf(t, s).Messages)
}
