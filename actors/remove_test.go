package actors_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// fooStream opens a stream of blocks of a few messages with n of them, odd ones of foo.A, even ones of foo.B.
func fooStream(t *testing.T, config actors.Config, n int) *actors.Store {
	t.Helper()
	if config.BlockSize == 0 {
		config.BlockSize = 4 << 10
	}
	s := open(t, config)
	for i := 1; i <= n; i++ {
		mustStore(t, s, []string{"foo.B", "foo.A"}[i%2], fmt.Sprintf("%1200d", i))
	}
	return s
}

// TestRemoveMsgRows are the cases of removing one message, the same again after a crash and a stop.
func TestRemoveMsgRows(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		config := actors.Config{Dir: t.TempDir(), Sync: level}
		s := fooStream(t, config, 12)
		row := func(sequence uint64, want bool, err error) {
			t.Helper()
			removed, got := s.RemoveMsg(t.Context(), sequence)
			require.ErrorIs(t, got, err)
			require.Equal(t, want, removed)
		}
		row(0, false, actors.ErrNotFound)
		row(13, false, actors.ErrEOF)
		row(5, true, nil)
		row(5, false, nil)
		row(1, true, nil)
		row(1, false, actors.ErrNotFound)
		row(2, true, nil)
		row(12, true, nil)
		check := func() {
			t.Helper()
			got, _ := collect(t, s)
			require.Equal(t, []uint64{3, 4, 6, 7, 8, 9, 10, 11}, got)
			full, err := s.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, uint64(3), full.FirstSequence)
			require.Equal(t, uint64(12), full.LastSequence)
			require.Equal(t, uint64(2), full.State.Deleted)
			require.Equal(t, []actors.SequenceRange{{First: 5, Last: 5}, {First: 12, Last: 12}}, full.DeletedRanges)
			for _, sequence := range []uint64{1, 2, 5, 12} {
				_, err := s.LoadMsg(t.Context(), sequence)
				require.ErrorIs(t, err, actors.ErrNotFound)
			}
		}
		check()
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		check()
		for _, sequence := range []uint64{3, 4, 6, 7, 8, 9, 10, 11} {
			row(sequence, true, nil)
		}
		state := stateOf(t, s)
		require.Zero(t, state.Messages)
		require.Equal(t, uint64(13), state.FirstSequence)
		require.True(t, state.FirstTime.IsZero())
		row(8, false, actors.ErrNotFound)
		row(13, false, actors.ErrEOF)
		require.Equal(t, uint64(13), mustStore(t, s, "foo.A", "x").Sequence)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		got, _ := collect(t, s)
		require.Equal(t, []uint64{13}, got)
	})
}

// TestPurgeExRows are the rows of purging by subject over twelve messages.
func TestPurgeExRows(t *testing.T) {
	for _, row := range []struct {
		subject     string
		below, keep uint64
		removed     uint64
		first, last uint64
		deleted     []uint64
	}{
		{"foo.A", 0, 0, 6, 2, 12, []uint64{3, 5, 7, 9, 11}},
		{"foo.A", 6, 0, 3, 2, 12, []uint64{3, 5}},
		{"foo.A", 0, 2, 4, 2, 12, []uint64{3, 5, 7}},
		{"foo.A", 4, 2, 2, 2, 12, []uint64{3}},
		{"foo.A", 8, 5, 1, 2, 12, nil},
		{"foo.A", 0, 6, 0, 1, 12, nil},
		{"foo.A", 0, 7, 0, 1, 12, nil},
		{"foo.A", 1, 0, 0, 1, 12, nil},
		{"", 1, 0, 0, 1, 12, nil},
		{"foo.A", 100, 0, 6, 2, 12, []uint64{3, 5, 7, 9, 11}},
		{"foo.*", 100, 0, 12, 13, 12, nil},
		{"", 0, 3, 9, 10, 12, nil},
		{">", 0, 3, 9, 10, 12, nil},
		{"", 5, 3, 4, 5, 12, nil},
		{">", 5, 2, 4, 5, 12, nil},
		{"", 100, 0, 12, 100, 99, nil},
		{"", 0, 0, 12, 13, 12, nil},
		{"bar", 0, 0, 0, 1, 12, nil},
		{"*", 0, 0, 0, 1, 12, nil},
	} {
		t.Run(fmt.Sprintf("%q below %d keep %d", row.subject, row.below, row.keep), func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir()}
			s := fooStream(t, config, 12)
			n, err := s.PurgeEx(t.Context(), actors.Filter(row.subject), row.below, row.keep)
			require.NoError(t, err)
			require.Equal(t, row.removed, n)
			for range 2 {
				state := stateOf(t, s)
				require.Equal(t, row.first, state.FirstSequence)
				require.Equal(t, row.last, state.LastSequence)
				require.Equal(t, 12-row.removed, state.Messages)
				full, err := s.State(t.Context())
				require.NoError(t, err)
				var deleted []uint64
				for sequence := range actors.Sequences(full.DeletedRanges) {
					deleted = append(deleted, sequence)
				}
				require.Equal(t, row.deleted, deleted)
				got, _ := collect(t, s)
				require.Len(t, got, int(state.Messages))
				require.NoError(t, s.Stop(t.Context()))
				s = open(t, config)
			}
		})
	}
}

// TestCompactRows is the chain of compactions over ten messages.
func TestCompactRows(t *testing.T) {
	config := actors.Config{Dir: t.TempDir()}
	s := fooStream(t, config, 10)
	for _, row := range []struct{ below, removed, first, last uint64 }{
		{1, 0, 1, 10}, {5, 4, 5, 10}, {3, 0, 5, 10}, {100, 6, 100, 99}, {50, 0, 100, 99}, {101, 0, 101, 100}, {0, 0, 101, 100},
	} {
		n, err := s.Compact(t.Context(), row.below)
		require.NoError(t, err)
		require.Equal(t, row.removed, n, "below %d", row.below)
		for range 2 {
			state := stateOf(t, s)
			require.Equal(t, row.first, state.FirstSequence, "below %d", row.below)
			require.Equal(t, row.last, state.LastSequence, "below %d", row.below)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
		}
	}
	require.Equal(t, uint64(101), mustStore(t, s, "foo", "x").Sequence)
}

// TestCompactOfDeletedRange: where nothing is live at or above the sequence the stream is empty.
func TestCompactOfDeletedRange(t *testing.T) {
	s := fooStream(t, actors.Config{}, 10)
	for sequence := uint64(6); sequence <= 10; sequence++ {
		removed, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.True(t, removed)
	}
	n, err := s.Compact(t.Context(), 8)
	require.NoError(t, err)
	require.Equal(t, uint64(5), n)
	state := stateOf(t, s)
	require.Zero(t, state.Messages)
	require.Equal(t, uint64(11), state.FirstSequence)
	require.Equal(t, uint64(10), state.LastSequence)
}

// TestPurgeOfNewStream yields first 1 and last 0.
func TestPurgeOfNewStream(t *testing.T) {
	s := open(t, actors.Config{})
	n, err := s.Purge(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	state := stateOf(t, s)
	require.Equal(t, uint64(1), state.FirstSequence)
	require.Zero(t, state.LastSequence)
	require.Equal(t, uint64(1), mustStore(t, s, "a", "x").Sequence)
}

// TestMaxMsgsPerKeepsTheNewest of each subject, also after a stop and a removal, which brings nothing back.
func TestMaxMsgsPerKeepsTheNewest(t *testing.T) {
	for _, per := range []int64{1, 2, 5} {
		config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, MaxMsgsPer: per}
		s := open(t, config)
		var want []uint64
		for i := range 60 {
			mustStore(t, s, fmt.Sprintf("k.%d", i%3), fmt.Sprintf("%600d", i))
		}
		for sequence := 61 - 3*per; sequence <= 60; sequence++ {
			want = append(want, uint64(sequence))
		}
		got, _ := collect(t, s)
		require.Equal(t, want, got)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		got, _ = collect(t, s)
		require.Equal(t, want, got)
		removed, err := s.RemoveMsg(t.Context(), 60)
		require.NoError(t, err)
		require.True(t, removed)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		got, _ = collect(t, s)
		require.Equal(t, want[:len(want)-1], got)
	}
}

// TestDiscardNewPerRefuses a message of a subject that has as many as it may have.
func TestDiscardNewPerRefuses(t *testing.T) {
	s := open(t, actors.Config{MaxMsgsPer: 2, Discard: actors.DiscardNew, DiscardNewPer: actors.On})
	mustStore(t, s, "a", "x")
	mustStore(t, s, "a", "x")
	_, err := s.StoreMsg(t.Context(), "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrMaxMsgsPerSubject)
	mustStore(t, s, "b", "x")
	require.Equal(t, uint64(1), s.Stats().RefusedPer)
}
