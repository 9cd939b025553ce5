package actors_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// requireInvariants wants of a stream that its numbers are those of the messages which it has.
func requireInvariants(t *testing.T, s *actors.Store) {
	t.Helper()
	state, err := s.State(t.Context())
	require.NoError(t, err)
	subjects := map[string]actors.SubjectState{}
	var messages, bytes uint64
	live := map[uint64]bool{}
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		if messages++; messages == 1 {
			require.Equal(t, m.Sequence, state.FirstSequence)
			require.True(t, m.Time.Equal(state.FirstTime), "the first time is that of the first message")
		}
		live[m.Sequence] = true
		bytes += uint64(actors.RecordSize(len(m.Subject), len(m.HeaderBlock), len(m.Payload)))
		if m.Subject == "" {
			continue
		}
		of := subjects[m.Subject]
		if of.Messages++; of.Messages == 1 {
			of.First = m.Sequence
		}
		of.Last = m.Sequence
		subjects[m.Subject] = of
	}
	require.Equal(t, messages, state.Messages)
	require.Equal(t, bytes, state.Bytes)
	require.Equal(t, uint64(len(subjects)), state.Subjects)
	got, err := s.SubjectsState(t.Context())
	require.NoError(t, err)
	require.Len(t, got, len(subjects))
	for subject, of := range subjects {
		require.Equal(t, of, got[subject], subject)
	}
	if state.Messages == 0 {
		require.True(t, state.FirstTime.IsZero())
		require.Zero(t, state.State.Deleted)
		require.Empty(t, state.DeletedRanges)
		if state.LastSequence > 0 {
			require.Equal(t, state.LastSequence+1, state.FirstSequence)
		}
		return
	}
	require.Equal(t, state.LastSequence-state.FirstSequence+1-state.State.Deleted, state.Messages)
	var deleted uint64
	for sequence := range actors.Sequences(state.DeletedRanges) {
		deleted++
		require.False(t, live[sequence], "%d is both", sequence)
		require.Greater(t, sequence, state.FirstSequence)
		require.LessOrEqual(t, sequence, state.LastSequence)
	}
	require.Equal(t, state.State.Deleted, deleted)
}

// TestInvariantsHoldAfterEveryRemoval, and the last sequence and its time are those of the last store or skip,
// whatever goes. A compaction past the end moves the sequence, and not the time.
func TestInvariantsHoldAfterEveryRemoval(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			config := inMemory()
			config.MaxMsgsPer = []int64{0, 0, 1, 3}[seed%4]
			s := open(t, config)
			requireInvariants(t, s)
			for range 120 {
				before := stateOf(t, s)
				removing, last := true, before.LastSequence
				sequence := random.Uint64N(last + 2)
				var err error
				switch random.IntN(12) {
				default:
					mustStore(t, s, fmt.Sprintf("s.%d", random.IntN(6)), fmt.Sprintf("%*d", random.IntN(700), 1))
					removing = false
				case 0:
					_, err = s.Skip(t.Context(), 0, 1+random.Uint64N(4))
					removing = false
				case 1, 2, 3, 4:
					_, _ = s.RemoveMsg(t.Context(), sequence)
				case 5:
					_, err = s.PurgeEx(t.Context(), actors.Filter(fmt.Sprintf("s.%d", random.IntN(6))), 0, random.Uint64N(3))
				case 6:
					_, err = s.Compact(t.Context(), max(sequence, 1))
					last = max(last, max(sequence, 1)-1)
				case 7:
					if random.IntN(8) == 0 {
						_, err = s.Purge(t.Context())
					}
				}
				require.NoError(t, err)
				requireInvariants(t, s)
				if after := stateOf(t, s); removing {
					require.Equal(t, last, after.LastSequence)
					require.True(t, before.LastTime.Equal(after.LastTime))
				}
				if random.IntN(20) == 0 {
					want := stateOf(t, s)
					require.NoError(t, s.Stop(t.Context()))
					s = open(t, config)
					requireInvariants(t, s)
					got := stateOf(t, s)
					require.Equal(t, want.FirstSequence, got.FirstSequence)
					require.Equal(t, want.LastSequence, got.LastSequence)
					require.Equal(t, want.Messages, got.Messages)
					require.True(t, want.LastTime.Equal(got.LastTime))
				}
			}
		})
	}
}

// TestRemovalsOfAClosedStore are refused.
func TestRemovalsOfAClosedStore(t *testing.T) {
	s := fooStream(t, actors.Config{}, 3)
	require.NoError(t, s.Stop(t.Context()))
	_, err := s.RemoveMsg(t.Context(), 1)
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Purge(t.Context())
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.PurgeEx(t.Context(), actors.Filter("foo.A"), 0, 1)
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Compact(t.Context(), 2)
	require.ErrorIs(t, err, actors.ErrStopped)
}

// TestRemovalsOfANewAndOfAnEmptyStore find nothing.
func TestRemovalsOfANewAndOfAnEmptyStore(t *testing.T) {
	s := open(t, actors.Config{})
	for range 2 {
		last := stateOf(t, s).LastSequence
		for sequence := uint64(0); sequence <= last; sequence++ {
			_, err := s.RemoveMsg(t.Context(), sequence)
			require.ErrorIs(t, err, actors.ErrNotFound)
		}
		_, err := s.RemoveMsg(t.Context(), last+1)
		require.ErrorIs(t, err, actors.ErrEOF)
		n, err := s.PurgeEx(t.Context(), actors.Filter("a"), 0, 0)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.Compact(t.Context(), last)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, last, stateOf(t, s).LastSequence)
		mustRemove(t, s, mustStore(t, s, "a", "x").Sequence)
	}
}

// TestCompactOfANewStream: to 1 it makes the first sequence 1, to another that one.
func TestCompactOfANewStream(t *testing.T) {
	for _, below := range []uint64{1, 7} {
		config := actors.Config{Dir: t.TempDir()}
		s := open(t, config)
		n, err := s.Compact(t.Context(), below)
		require.NoError(t, err)
		require.Zero(t, n)
		state := stateOf(t, s)
		require.Equal(t, below, state.FirstSequence)
		require.Equal(t, below-1, state.LastSequence)
		require.True(t, state.FirstTime.IsZero())
		require.True(t, state.LastTime.IsZero())
		require.Equal(t, below, mustStore(t, s, "a", "x").Sequence)
	}
}

// TestCompactCountsWhatWasLive, not what was removed before, and the first time is that of the message which is
// the first then, also when it is in another block than the sequence.
func TestCompactCountsWhatWasLive(t *testing.T) {
	config := inMemory()
	s := fooStream(t, config, 24)
	mustRemove(t, s, 2, 5, 6, 9, 10, 11, 12, 13)
	n, err := s.Compact(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, uint64(5), n)
	require.Equal(t, uint64(14), stateOf(t, s).FirstSequence)
	requireInvariants(t, s)
	crashes(t, config, requireInvariants)
}

// TestARefusedMessageChangesNothing: one that is too large, or whose subject is too long, is refused, and what
// comes then is not.
func TestARefusedMessageChangesNothing(t *testing.T) {
	s := fooStream(t, actors.Config{}, 3)
	before := stateOf(t, s)
	_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 33<<20))
	require.ErrorIs(t, err, actors.ErrTooLarge)
	_, err = s.StoreMsg(t.Context(), string(make([]byte, 70_000)), nil, nil)
	require.Error(t, err)
	require.Equal(t, before, stateOf(t, s))
	mustRemove(t, s, 2)
	mustStore(t, s, "a", "x")
}

// TestAFirstSequenceHasNoTime: a new stream that starts high has no last time, also without any file but blocks.
func TestAFirstSequenceHasNoTime(t *testing.T) {
	config := inMemory()
	config.FirstSequence = 1000
	s := open(t, config)
	check := func(t *testing.T, s *actors.Store) {
		state := stateOf(t, s)
		require.Equal(t, uint64(1000), state.FirstSequence)
		require.Equal(t, uint64(999), state.LastSequence)
		require.Zero(t, state.Deleted)
		require.True(t, state.LastTime.IsZero(), "%v", state.LastTime)
	}
	check(t, s)
	require.NoError(t, s.Stop(t.Context()))
	crashes(t, config, check)
}
