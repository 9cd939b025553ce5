package actors_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestAMessageWithAnIdIsStoredOnce in every way to store, and after a restart.
func TestAMessageWithAnIdIsStoredOnce(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		config := actors.Config{Dir: t.TempDir(), Name: "S", Sync: level, Duplicates: time.Hour}
		s := open(t, config)
		ctx := t.Context()
		again := func(first bool) {
			t.Helper()
			ack, err := s.StoreMsg(ctx, "a", actors.Header{"A": {"b"}}, []byte("x"), actors.MsgID("one"), actors.ExpectLast(0))
			require.NoError(t, err)
			require.EqualValues(t, 1, ack.Sequence)
			require.Equal(t, !first, ack.Duplicate)
			require.Equal(t, first, !ack.Time.IsZero())
			batch, err := s.StoreBatch(ctx, []actors.BatchMessage{
				{Subject: "b", Options: []actors.StoreOption{actors.MsgID("two")}},
				{Subject: "b", Header: actors.Header{"Nats-Msg-Id": {"three"}}},
			})
			require.NoError(t, err)
			require.Equal(t, [3]any{uint64(2), uint64(3), !first}, [3]any{batch.First, batch.Last, batch.Duplicate})
			p := s.Pipeline(2, func(r actors.PipelineResult) {
				if r.Err != nil || r.Ack.Sequence != 4 || r.Ack.Duplicate == (first && r.Index == 0) {
					t.Errorf("%+v", r)
				}
			})
			for range 3 {
				_, err = p.Store(ctx, "c", nil, nil, actors.MsgID("four"))
				require.NoError(t, err)
			}
			require.NoError(t, p.Wait(ctx))
		}
		again(true)
		require.EqualValues(t, 2, s.Stats().Duplicates, "of the pipeline")
		again(false)
		require.EqualValues(t, 2+1+2+3, s.Stats().Duplicates)
		r := newClient(t, 1).ask(t, s, &actors.StoreRequest{Subject: "c", Header: actors.Header{"Nats-Msg-Id": {"four"}}}).(*actors.StoreReply)
		require.NoError(t, r.Err)
		require.Equal(t, actors.Ack{Sequence: 4, Duplicate: true}, r.Ack)
		require.NoError(t, s.Stop(ctx))
		s = open(t, config)
		again(false)
		require.EqualValues(t, 4, stateOf(t, s).Messages)
		m, err := s.LoadMsg(ctx, 1)
		require.NoError(t, err)
		header, err := m.Header()
		require.NoError(t, err)
		require.Equal(t, actors.Header{"A": {"b"}, "Nats-Msg-Id": {"one"}}, header)
	})
}

// TestIdsAreOffByDefault: a header means nothing then, and whoever relies on an id is refused.
func TestIdsAreOffByDefault(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S", MaxAge: time.Minute}
	s := open(t, config)
	ctx := t.Context()
	for range 2 {
		ack, err := s.StoreMsg(ctx, "a", actors.Header{"Nats-Msg-Id": {"one"}}, nil)
		require.NoError(t, err)
		require.False(t, ack.Duplicate)
	}
	_, err := s.StoreMsg(ctx, "a", nil, nil, actors.MsgID("one"))
	require.ErrorIs(t, err, actors.ErrBadMsgID)
	require.NoError(t, s.Stop(ctx))

	config.Duplicates = 30 * time.Second
	s = open(t, config)
	for _, id := range []string{"", " x", strings.Repeat("x", 257)} {
		_, err = s.StoreMsg(ctx, "a", nil, nil, actors.MsgID(id))
		require.ErrorIs(t, err, actors.ErrBadMsgID)
	}
	_, err = s.StoreMsg(ctx, "a", nil, nil, actors.MsgID("x\r\n"))
	require.ErrorIs(t, err, actors.ErrBadHeader)
	ack, err := s.StoreMsg(ctx, "a", nil, nil, actors.MsgID("one"))
	require.NoError(t, err)
	require.Equal(t, actors.Ack{Sequence: 1, Duplicate: true}, ack, "it is in the log")
	require.NoError(t, s.Stop(ctx))
	meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "S"), "S")
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, meta.DuplicateWindow)
	require.ErrorIs(t, (&actors.Config{Dir: "d", Name: "n", Duplicates: time.Millisecond}).Validate(), actors.ErrConfig)
}

// TestIdsAboveATruncationAreForgotten: what has them is stored again, and is known then, also after a restart.
func TestIdsAboveATruncationAreForgotten(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S", Duplicates: time.Hour}
	s := open(t, config)
	ctx := t.Context()
	put := func(id string) actors.Ack {
		t.Helper()
		ack, err := s.StoreMsg(ctx, "a", nil, []byte("x"), actors.MsgID(id))
		require.NoError(t, err)
		return ack
	}
	put("one")
	put("two")
	put("three")
	h := listen(t, ctx, s)
	h.take(t)
	removed, err := s.Truncate(ctx, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, removed)
	require.Len(t, h.take(t), 1)
	require.True(t, put("one").Duplicate)
	ack := put("three")
	require.False(t, ack.Duplicate)
	require.EqualValues(t, 2, ack.Sequence)
	require.NoError(t, s.Stop(ctx))
	s = open(t, config)
	require.EqualValues(t, 2, put("three").Sequence)
	require.True(t, put("one").Duplicate)
	require.False(t, put("two").Duplicate)
	_, err = s.Truncate(ctx, 2)
	require.NoError(t, err)
	require.NoError(t, s.Stop(ctx))
	s = open(t, config)
	require.False(t, put("two").Duplicate)
	require.EqualValues(t, 3, stateOf(t, s).Messages)
}
