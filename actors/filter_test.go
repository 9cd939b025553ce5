package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestCompiledFilters select what the filters do that they are made of, wherever they are used, and cost no
// memory when they are used again.
func TestCompiledFilters(t *testing.T) {
	s := open(t, actors.Config{})
	ctx := t.Context()
	for _, name := range []string{"a.x", "a.y", "b", "c.*", ""} {
		mustStoreRaw(t, s, name, "x")
	}
	count := func(filters ...actors.Filters) uint64 {
		n, _, err := s.NumPending(ctx, 0, filters...)
		require.NoError(t, err)
		return n
	}
	some := actors.Compile(actors.Filter("a.*"), actors.Literal("c.*"))
	require.EqualValues(t, 3, count(some))
	require.EqualValues(t, 4, count(some, actors.Filter("b")))
	require.EqualValues(t, 4, count(actors.Compile(some, actors.Filter("b"))))
	require.EqualValues(t, 5, count(actors.Compile()))
	require.EqualValues(t, 5, count(actors.Compile(), some))
	require.Zero(t, count(actors.Compile(actors.Filter())))
	_, err := s.StoreMsg(ctx, "b", nil, nil, actors.ExpectLastOf(some, 4))
	require.NoError(t, err)
	removed, err := s.PurgeEx(ctx, some, 0, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, removed)
}

// TestSkipAt moves the last time, and Skip does not.
func TestSkipAt(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S"}
	s := open(t, config)
	ctx := t.Context()
	ack := mustStore(t, s, "a", "x")
	at := ack.Time.Add(time.Second)
	last, err := s.SkipAt(ctx, 2, 3, at)
	require.NoError(t, err)
	require.EqualValues(t, 4, last)
	require.Equal(t, at, stateOf(t, s).LastTime)
	_, err = s.Skip(ctx, 0, 1)
	require.NoError(t, err)
	require.Equal(t, at, stateOf(t, s).LastTime)
	for _, bad := range []time.Time{{}, time.Unix(0, 0)} {
		_, err = s.SkipAt(ctx, 0, 1, bad)
		require.ErrorIs(t, err, actors.ErrBadTime)
	}
	r := newClient(t, 1).ask(t, s, &actors.SkipRequest{Count: 1, Time: at.Add(1)}).(*actors.SkipReply)
	require.NoError(t, r.Err)
	require.NoError(t, s.Stop(ctx))
	s = open(t, config)
	state := stateOf(t, s)
	require.Equal(t, at.Add(1), state.LastTime)
	require.EqualValues(t, 6, state.LastSequence)
}

// TestARawMessageWithTheTimeOfTheStore keeps its header block, and gets the time that any message would.
func TestARawMessageWithTheTimeOfTheStore(t *testing.T) {
	clock := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	s := open(t, actors.Config{Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return clock }})})
	block := []byte("NATS/1.0 100 Idle\r\nA:b\r\n\r\n")
	ack, err := s.StoreRaw(t.Context(), actors.RawMessage{Subject: "a", HeaderBlock: block, StampNow: true, Time: time.Unix(1, 0)})
	require.NoError(t, err)
	require.Equal(t, clock, ack.Time)
	m, err := s.LoadMsg(t.Context(), ack.Sequence)
	require.NoError(t, err)
	require.Equal(t, clock, m.Time)
	require.Equal(t, block, m.HeaderBlock)
}

// TestSlicesOfPatternsAreTheCallers: they may be used again when the call returns.
func TestSlicesOfPatternsAreTheCallers(t *testing.T) {
	s := open(t, actors.Config{})
	for _, subject := range []string{"a", "b", "c", "d"} {
		mustStore(t, s, subject, "x")
	}
	patterns, one := []string{"a", "b"}, []string{"a"}
	filters, single, literals := actors.Filter(patterns...), actors.Filter(one...), actors.Literal(patterns...)
	last := s.MultiLastMsgs(t.Context(), patterns, 0, 0)
	patterns[0], patterns[1], one[0] = "c", "d", "d"
	for i, row := range []struct {
		filters actors.Filters
		want    []uint64
	}{{filters, []uint64{1, 2}}, {single, []uint64{1}}, {literals, []uint64{1, 2}}} {
		got, _ := collect(t, s, row.filters)
		require.Equal(t, row.want, got, i)
	}
	var got []uint64
	for m, err := range last {
		require.NoError(t, err)
		got = append(got, m.Sequence)
	}
	require.Equal(t, []uint64{1, 2}, got)
}
