package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestBytesStoredAndRemovedAddUp to the bytes that are there, whatever has removed messages.
func TestBytesStoredAndRemovedAddUp(t *testing.T) {
	var c clock
	s := open(t, actors.Config{
		BlockSize: 4096, MaxMsgsPer: 5, AllowMsgTTL: actors.On, AllowRollup: actors.On,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now}),
	})
	ctx := t.Context()
	fill := func(n int) {
		for i := range n {
			mustStore(t, s, subjects[i%20], string(make([]byte, i%300)))
		}
	}
	freed := uint64(0)
	check := func(what string) {
		t.Helper()
		require.NoError(t, s.Flush(ctx))
		stats := s.Stats()
		require.Equal(t, stats.Bytes, stats.StoredBytes-stats.FreedBytes, what)
		require.Greater(t, stats.FreedBytes, freed, what)
		freed = stats.FreedBytes
	}
	removed := func(what string) func(uint64, error) {
		return func(n uint64, err error) {
			t.Helper()
			require.NoError(t, err, what)
			require.NotZero(t, n, what)
			check(what)
		}
	}
	fill(300)
	check("a limit of each subject")
	last := stateOf(t, s).LastSequence
	gone, err := s.RemoveMsg(ctx, last)
	require.NoError(t, err)
	require.True(t, gone)
	check("one message")
	gone, err = s.EraseMsg(ctx, last-1)
	require.NoError(t, err)
	require.True(t, gone)
	check("an erased one")
	removed("a subject")(s.PurgeEx(ctx, actors.Literal(subjects[3]), 0, 1))
	removed("compacted")(s.Compact(ctx, last-50))
	removed("truncated")(s.Truncate(ctx, last-10))
	_, err = s.StoreMsg(ctx, subjects[5], actors.Header{"Nats-Rollup": {"sub"}}, nil)
	require.NoError(t, err)
	check("rolled up")
	_, err = s.StoreBatch(ctx, []actors.BatchMessage{
		{Subject: subjects[6], Payload: []byte("x")}, {Subject: subjects[6], Header: actors.Header{"Nats-Rollup": {"sub"}}},
	})
	require.NoError(t, err)
	check("rolled up in a batch")
	mustStoreFor(t, s, "short", time.Second)
	c.advance(time.Minute)
	require.NoError(t, s.Flush(ctx))
	require.Eventually(t, func() bool { return s.Stats().RemovedTTL == 1 }, time.Minute, time.Millisecond)
	check("a TTL")
	fill(100)
	removed("all")(s.Purge(ctx))
	require.Zero(t, s.Stats().Bytes)
}
