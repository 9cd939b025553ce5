package actors_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestTruncateRows are the cases of cutting the end of a stream of twelve messages off, 3, 7 and 8 of which were
// removed, and the same after a stop.
func TestTruncateRows(t *testing.T) {
	for _, row := range []struct {
		above       uint64
		removed     uint64
		first, last uint64
		live        []uint64
		newest      uint64 // whose time is the last time, 0 for none
		err         error
	}{
		{above: 13, first: 1, last: 12, live: []uint64{1, 2, 4, 5, 6, 9, 10, 11, 12}, newest: 12, err: actors.ErrEOF},
		{above: 12, first: 1, last: 12, live: []uint64{1, 2, 4, 5, 6, 9, 10, 11, 12}, newest: 12},
		{above: 11, removed: 1, first: 1, last: 11, live: []uint64{1, 2, 4, 5, 6, 9, 10, 11}, newest: 11},
		{above: 8, removed: 4, first: 1, last: 8, live: []uint64{1, 2, 4, 5, 6}, newest: 6},
		{above: 7, removed: 4, first: 1, last: 7, live: []uint64{1, 2, 4, 5, 6}, newest: 6},
		{above: 3, removed: 7, first: 1, last: 3, live: []uint64{1, 2}, newest: 2},
		{above: 1, removed: 8, first: 1, last: 1, live: []uint64{1}, newest: 1},
		{above: 0, removed: 9},
	} {
		t.Run(fmt.Sprint(row.above), func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir()}
			s := fooStream(t, config, 12)
			times := map[uint64]int64{}
			for m, err := range s.Messages(t.Context()) {
				require.NoError(t, err)
				times[m.Sequence] = m.Time.UnixNano()
			}
			for _, sequence := range []uint64{3, 7, 8} {
				_, err := s.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
			}
			removed, err := s.Truncate(t.Context(), row.above)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.removed, removed)
			for range 2 {
				got, _ := collect(t, s)
				require.Equal(t, row.live, got)
				state := stateOf(t, s)
				require.Equal(t, row.first, state.FirstSequence)
				require.Equal(t, row.last, state.LastSequence)
				require.Equal(t, row.newest == 0, state.LastTime.IsZero())
				if row.newest > 0 {
					require.Equal(t, times[row.newest], state.LastTime.UnixNano())
				}
				for sequence := row.last + 1; sequence <= 12; sequence++ {
					_, err := s.LoadMsg(t.Context(), sequence)
					require.ErrorIs(t, err, actors.ErrEOF)
				}
				require.NoError(t, s.Stop(t.Context()))
				s = open(t, config)
			}
			ack := mustStore(t, s, "new", "new")
			require.Equal(t, row.last+1, ack.Sequence)
			m, err := s.LoadMsg(t.Context(), ack.Sequence)
			require.NoError(t, err)
			require.Equal(t, "new", m.Subject)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
			got, _ := collect(t, s)
			require.Equal(t, append(row.live, ack.Sequence), got)
		})
	}
}

// TestTruncateBelowTheFirst leaves a stream empty, whose next message gets the sequence behind.
func TestTruncateBelowTheFirst(t *testing.T) {
	for _, emptied := range []bool{false, true} {
		config := actors.Config{Dir: t.TempDir()}
		s := fooStream(t, config, 10)
		below := uint64(6)
		if emptied {
			below = 11
		}
		_, err := s.Compact(t.Context(), below)
		require.NoError(t, err)
		removed, err := s.Truncate(t.Context(), 3)
		require.NoError(t, err)
		require.Equal(t, 11-below, removed)
		for range 2 {
			state := stateOf(t, s)
			require.Zero(t, state.Messages)
			require.Equal(t, uint64(4), state.FirstSequence)
			require.Equal(t, uint64(3), state.LastSequence)
			require.True(t, state.LastTime.IsZero())
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
		}
		require.Equal(t, uint64(4), mustStore(t, s, "a", "x").Sequence)
	}
}

// TestTruncateToNothingBeginsAnew with the first sequence of the configuration.
func TestTruncateToNothingBeginsAnew(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), FirstSequence: 1000}
	s := fooStream(t, config, 10)
	removed, err := s.Truncate(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(10), removed)
	require.Equal(t, uint64(1000), mustStore(t, s, "a", "x").Sequence)
}

// TestWhatWasRemovedStaysRemovedWhenItsTombstoneIsCutOff, and what a limit has evicted as well.
func TestWhatWasRemovedStaysRemovedWhenItsTombstoneIsCutOff(t *testing.T) {
	for name, config := range map[string]actors.Config{
		"removed": {}, "limit": {MaxMsgs: 8}, "bytes": {MaxBytes: 10 << 10}, "subject": {MaxMsgsPer: 2}, "subject in one block": {MaxMsgsPer: 2, BlockSize: 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			config.Dir = t.TempDir()
			s := fooStream(t, config, 12)
			_, err := s.RemoveMsg(t.Context(), 9)
			require.NoError(t, err)
			before, _ := collect(t, s)
			_, err = s.Truncate(t.Context(), 10)
			require.NoError(t, err)
			var want []uint64
			for _, sequence := range before {
				if sequence <= 10 {
					want = append(want, sequence)
				}
			}
			for range 3 {
				got, _ := collect(t, s)
				require.Equal(t, want, got)
				require.NoError(t, s.Stop(t.Context()))
				s = open(t, config)
			}
		})
	}
}

// TestTruncateWaitsForWhatIsOnItsWay, and what comes behind it for it, at each level.
func TestTruncateWaitsForWhatIsOnItsWay(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		config := actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10}
		s := open(t, config)
		c := newClient(t, 100)
		for round := range 20 {
			for i := range 10 {
				quiet.Root.RequestWithCustomSender(s.PID(), &actors.StoreRequest{Subject: "a", Payload: fmt.Appendf(nil, "%d.%d", round, i)}, c.pid)
			}
			quiet.Root.RequestWithCustomSender(s.PID(), &actors.TruncateRequest{Sequence: uint64(round) + 1}, c.pid)
			for i := range 10 {
				r := (<-c.replies).(*actors.StoreReply)
				require.NoError(t, r.Err)
				require.Equal(t, uint64(round+i+1), r.Ack.Sequence)
			}
			r := (<-c.replies).(*actors.PurgeReply)
			require.NoError(t, r.Err)
			require.Equal(t, uint64(9), r.Removed)
		}
		for range 2 {
			for round := range 20 {
				m, err := s.LoadMsg(t.Context(), uint64(round+1))
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("%d.0", round), string(m.Payload))
			}
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
		}
	})
}

// TestAFollowerGoesOnBehindATruncation with the new messages, each once.
func TestAFollowerGoesOnBehindATruncation(t *testing.T) {
	s := fooStream(t, actors.Config{}, 10)
	var got []string
	for m, err := range s.Messages(t.Context(), actors.Follow()) {
		require.NoError(t, err)
		got = append(got, fmt.Sprint(m.Sequence, m.Subject[:3]))
		switch m.Sequence {
		case 10:
			if m.Subject == "new" {
				require.Equal(t, []string{"5new", "6new", "7new", "8new", "9new", "10new"}, got[10:])
				return
			}
			_, err := s.Truncate(t.Context(), 4)
			require.NoError(t, err)
			for range 6 {
				mustStore(t, s, "new", "x")
			}
		}
	}
}

// TestAScanEndsBeforeSequencesThatAreUsedAgain.
func TestAScanEndsBeforeSequencesThatAreUsedAgain(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		s := fooStream(t, actors.Config{}, 40)
		var opts []actors.ReadOption
		at := uint64(3)
		if reverse {
			opts, at = append(opts, actors.Reverse()), 35
		}
		for m, err := range s.Messages(t.Context(), opts...) {
			require.NoError(t, err)
			require.NotEqual(t, "new", m.Subject)
			if m.Sequence == at {
				_, err := s.Truncate(t.Context(), 20)
				require.NoError(t, err)
				for range 20 {
					mustStore(t, s, "new", "x")
				}
			}
		}
	}
}

// TestATruncationIsAllOrNothing after a crash before each of its file operations.
func TestATruncationIsAllOrNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		config actors.Config
		above  uint64
		want   []uint64
	}{
		{"in the middle", actors.Config{}, 10, []uint64{1, 2, 4, 5, 6, 7, 8, 9, 10}},
		{"a removed one", actors.Config{}, 3, []uint64{1, 2}},
		{"in the tail", actors.Config{}, 17, []uint64{1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}},
		{"with a limit", actors.Config{MaxMsgs: 10}, 15, []uint64{9, 10, 11, 12, 13, 14, 15}},
		{"with a limit of a subject", actors.Config{MaxMsgsPer: 3}, 15, []uint64{13, 14, 15}},
		{"below the first", actors.Config{MaxMsgs: 3}, 10, nil},
		{"to nothing", actors.Config{}, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := row.config
			config.BlockSize = 4 << 10
			var before []uint64
			crashEach(t, config, func(s *actors.Store) {
				for i := range 18 {
					mustStore(t, s, []string{"foo.A", "foo.B"}[i%2], fmt.Sprintf("%900d", i))
				}
				_, err := s.RemoveMsg(t.Context(), 3)
				if row.config.MaxMsgs == 0 && row.config.MaxMsgsPer == 0 {
					require.NoError(t, err)
				}
				before, _ = collect(t, s)
			}, func(s *actors.Store) {
				_, err := s.Truncate(t.Context(), row.above)
				require.NoError(t, err)
				got, _ := collect(t, s)
				require.Equal(t, row.want, got)
			}, func(s *actors.Store, image crashImage) {
				got, _ := collect(t, s)
				state := stateOf(t, s)
				require.Zero(t, state.LostMessages, "%v %v", image.op, image.mode)
				if image.done || state.LastSequence != 18 {
					require.Equal(t, row.want, got, "%v %v", image.op, image.mode)
					require.Equal(t, row.above, state.LastSequence)
				} else {
					require.Equal(t, before, got, "%v %v", image.op, image.mode)
				}
				require.Equal(t, state.LastSequence+1, mustStore(t, s, "new", "x").Sequence)
			})
		})
	}
}

// TestTruncateToARemovedSequenceWhoseBlockIsGone: the records of the removals, which are in a block that stays, neither
// show a last sequence above the truncation nor remove what is stored next.
func TestTruncateToARemovedSequenceWhoseBlockIsGone(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, Sync: level}
		s := open(t, config)
		for range 12 { // four blocks, which have no room for the records of the removals
			mustStore(t, s, "a", strings.Repeat("x", 1300))
		}
		mustRemove(t, s, sequences(4, 12)...)
		eventually(t, func() bool { return s.Stats().Blocks <= 2 })
		mustStore(t, s, "a", "13")
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		_, err := s.Truncate(t.Context(), 6)
		require.NoError(t, err)
		want := []uint64{1, 2, 3}
		for range 2 {
			require.Equal(t, uint64(6+len(want)-3), stateOf(t, s).LastSequence)
			got, _ := collect(t, s)
			require.Equal(t, want, got)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
			want = append(want, mustStore(t, s, "new", "x").Sequence)
		}
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		got, _ := collect(t, s)
		require.Equal(t, []uint64{1, 2, 3, 7, 8}, got)
	})
}

// TestATruncationBringsNothingBackThatALimitEvicted for messages that are cut off now, not even the newest that are left.
func TestATruncationBringsNothingBackThatALimitEvicted(t *testing.T) {
	config := inMemory()
	config.MaxMsgsPer = 1
	s := open(t, config)
	for _, subject := range []string{"a", "b", "c", "c", "b"} {
		mustStore(t, s, subject, "x")
	}
	_, err := s.Truncate(t.Context(), 3)
	require.NoError(t, err)
	want := []uint64{1}
	for range 2 {
		got, _ := collect(t, s)
		require.Equal(t, want, got)
		want = append(want, mustStore(t, s, fmt.Sprint("new.", len(want)), "x").Sequence)
		require.Equal(t, uint64(2+len(want)), want[len(want)-1])
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
	}
}
