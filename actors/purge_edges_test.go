package actors_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestKeepCountsMessagesOverAllBlocks: not sequences, not by block, and the same purge again removes nothing.
func TestKeepCountsMessagesOverAllBlocks(t *testing.T) {
	config := inMemory()
	s := fooStream(t, config, 60)
	mustRemove(t, s, 59, 57, 51, 31, 29)
	for range 2 {
		n, err := s.PurgeEx(t.Context(), actors.Filter("foo.A"), 40, 8)
		require.NoError(t, err)
		totals, err := s.SubjectsTotals(t.Context(), actors.Filter("foo.A"))
		require.NoError(t, err)
		require.Equal(t, uint64(8), totals["foo.A"])
		if n > 0 {
			require.Equal(t, uint64(17), n)
		}
		requireInvariants(t, s)
	}
	got, _ := collect(t, s, actors.Filter("foo.A"))
	require.Equal(t, []uint64{39, 41, 43, 45, 47, 49, 53, 55}, got)
	n, err := s.PurgeEx(t.Context(), actors.Filter("foo.A"), 0, 8)
	require.NoError(t, err)
	require.Zero(t, n)
}

// TestPurgeBelowASequenceInAGap, and again: the first one is the first message behind it.
func TestPurgeBelowASequenceInAGap(t *testing.T) {
	s := fooStream(t, actors.Config{}, 30)
	mustRemove(t, s, 11, 12, 13, 14)
	for i := range 2 {
		n, err := s.PurgeEx(t.Context(), actors.Filter(""), 13, 0)
		require.NoError(t, err)
		require.Equal(t, []uint64{10, 0}[i], n)
		require.Equal(t, uint64(15), stateOf(t, s).FirstSequence)
	}
	for _, below := range []uint64{1, 15, 2} {
		n, err := s.PurgeEx(t.Context(), actors.Filter(""), below, 0)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	n, err := s.PurgeEx(t.Context(), actors.Filter(""), 31, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(16), n)
	require.Equal(t, uint64(31), stateOf(t, s).FirstSequence)
}

// TestPurgeOverManyBlocks passes none of them over, while blocks go.
func TestPurgeOverManyBlocks(t *testing.T) {
	config := inMemory()
	s := open(t, config)
	for i := range 200 { // blocks of three: some of one subject, some of both
		mustStore(t, s, []string{"a", "b"}[i/3%2*(i%7%2)], fmt.Sprintf("%1200d", i))
	}
	blocks := s.Stats().Blocks
	_, err := s.PurgeEx(t.Context(), actors.Filter("a"), 0, 0)
	require.NoError(t, err)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "b", m.Subject)
	}
	require.Less(t, s.Stats().Blocks, blocks)
	requireInvariants(t, s)
	crashes(t, config, requireInvariants)
}

// TestAPurgeIsOneCommit, however many messages it removes, at SyncAlways.
func TestAPurgeIsOneCommit(t *testing.T) {
	config := inMemory()
	config.BlockSize = 64 << 10
	s := open(t, config)
	batch := make([]actors.BatchMessage, 2000)
	for i := range batch {
		batch[i] = actors.BatchMessage{Subject: fmt.Sprintf("k.%d", i%2), Payload: make([]byte, 100)}
	}
	_, err := s.StoreBatch(t.Context(), batch)
	require.NoError(t, err)
	before := s.Stats().CommitSeconds.Count
	n, err := s.PurgeEx(t.Context(), actors.Filter("k.1"), 0, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(1000), n)
	require.LessOrEqual(t, s.Stats().CommitSeconds.Count-before, uint64(2))
	before = s.Stats().CommitSeconds.Count
	n, err = s.Compact(t.Context(), 1990)
	require.NoError(t, err)
	require.Equal(t, uint64(995), n)
	require.LessOrEqual(t, s.Stats().CommitSeconds.Count-before, uint64(2))
}

// TestCompactBesideAStore: whether the message was there is decided in the same step in which it would go.
func TestCompactBesideAStore(t *testing.T) {
	for range 50 {
		config := inMemory()
		s := open(t, config)
		mustStore(t, s, "a", "x")
		stored := make(chan error, 1)
		go func() {
			_, err := s.StoreMsg(t.Context(), "a", nil, nil)
			stored <- err
		}()
		_, err := s.Compact(t.Context(), 2)
		require.NoError(t, err)
		require.NoError(t, <-stored)
		got, _ := collect(t, s)
		require.Equal(t, []uint64{2}, got)
	}
}

// TestLoweredMaxMsgsPer at opening: from none to some, and to one; every query knows it.
func TestLoweredMaxMsgsPer(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10}
	s := open(t, config)
	for i := range 60 {
		mustStore(t, s, fmt.Sprintf("k.%d", i%3), fmt.Sprintf("%900d", i))
	}
	mustRemove(t, s, 60, 1)
	for _, per := range []int64{7, 3, 1} {
		require.NoError(t, s.Stop(t.Context()))
		config.MaxMsgsPer = per
		s = open(t, config)
		requireInvariants(t, s)
		states, err := s.SubjectsState(t.Context())
		require.NoError(t, err)
		for i, last := range []uint64{58, 59, 57} {
			name := fmt.Sprintf("k.%d", i)
			require.Equal(t, actors.SubjectState{Messages: uint64(per), First: last - 3*uint64(per-1), Last: last}, states[name])
			m, err := s.LoadLastMsg(t.Context(), actors.Filter(name))
			require.NoError(t, err)
			require.Equal(t, last, m.Sequence)
			m, _, err = s.LoadNextMsg(t.Context(), 1, actors.Filter(name))
			require.NoError(t, err)
			require.Equal(t, last-3*uint64(per-1), m.Sequence)
		}
		require.Equal(t, 57-3*uint64(per-1), stateOf(t, s).FirstSequence)
	}
}
