package actors_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// liveSequences are the sequences up to n but some.
func liveSequences(n uint64, but ...uint64) (list []uint64) {
	for sequence := uint64(1); sequence <= n; sequence++ {
		if !slices.Contains(but, sequence) {
			list = append(list, sequence)
		}
	}
	return list
}

// TestSyncDeletedRows: what goes of twelve messages, and stays away.
func TestSyncDeletedRows(t *testing.T) {
	type ranges = []actors.SequenceRange
	for _, row := range []struct {
		name    string
		deleted ranges
		left    []uint64
	}{
		{"nil", nil, liveSequences(12)},
		{"empty", ranges{}, liveSequences(12)},
		{"beyond the last", ranges{{First: 13, Last: 1 << 62}}, liveSequences(12)},
		{"head", ranges{{First: 1, Last: 5}}, liveSequences(12)[5:]},
		{"middle", ranges{{First: 4, Last: 9}}, liveSequences(12, 4, 5, 6, 7, 8, 9)},
		{"tail", ranges{{First: 11, Last: 100}}, liveSequences(10)},
		{"all", ranges{{First: 0, Last: 12}}, nil},
		{"sparse", ranges{{First: 2, Last: 2}, {First: 5, Last: 5}, {First: 12, Last: 12}}, liveSequences(12, 2, 5, 12)},
	} {
		t.Run(row.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				config := actors.Config{Dir: t.TempDir(), Sync: level}
				s := fooStream(t, config, 12)
				n, err := s.SyncDeleted(t.Context(), row.deleted)
				require.NoError(t, err)
				require.Equal(t, uint64(12-len(row.left)), n)
				for range 2 {
					got, _ := collect(t, s)
					require.Equal(t, row.left, got)
					state := stateOf(t, s)
					require.Equal(t, uint64(12), state.LastSequence)
					require.Equal(t, append(slices.Clone(row.left), 13)[0], state.FirstSequence)
					n, err = s.SyncDeleted(t.Context(), row.deleted)
					require.NoError(t, err)
					require.Zero(t, n, "the same again")
					require.NoError(t, s.Stop(t.Context()))
					s = open(t, config)
				}
				require.Equal(t, uint64(13), mustStore(t, s, "foo.A", "x").Sequence)
			})
		})
	}
}

// TestSyncDeletedMakesCopiesEqual: two copies that have lost different messages are the same once each has taken
// over what the other has deleted, also when their sets of deletions have the same count and ends.
func TestSyncDeletedMakesCopiesEqual(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	for range 10 {
		a, b := fooStream(t, actors.Config{}, 30), fooStream(t, actors.Config{}, 30)
		for _, s := range []*actors.Store{a, b} {
			removed := map[uint64]bool{1: true, 5: true, 25: true} // the same ends, and as many between
			for len(removed) < 8 {
				removed[6+rng.Uint64N(18)] = true
			}
			for sequence := range removed {
				_, err := s.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
			}
		}
		take := func(from, into *actors.Store) {
			state, err := from.State(t.Context())
			require.NoError(t, err)
			_, err = into.SyncDeleted(t.Context(), state.DeletedRanges)
			require.NoError(t, err)
		}
		take(a, b)
		take(b, a)
		left, err := a.State(t.Context())
		require.NoError(t, err)
		right, err := b.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, left.DeletedRanges, right.DeletedRanges)
		require.Equal(t, left.Messages, right.Messages)
	}
}

// TestSyncDeletedOfActors: the request, its reply, and the notices.
func TestSyncDeletedOfActors(t *testing.T) {
	s := fooStream(t, actors.Config{}, 6)
	h := listen(t, t.Context(), s)
	h.take(t)
	c := newClient(t, 1)
	r := c.ask(t, s, &actors.SyncDeletedRequest{Deleted: []actors.SequenceRange{{First: 5, Last: 9}, {First: 2, Last: 2}}, Tag: 7}).(*actors.PurgeReply)
	require.Equal(t, &actors.PurgeReply{Removed: 3, Tag: 7}, r)
	require.Equal(t, []string{
		"deleted elsewhere -1 -1235 2 foo.B", "deleted elsewhere -1 -1235 5 foo.A", "deleted elsewhere -1 -1235 6 foo.B",
	}, h.take(t))
	require.NoError(t, s.Stop(t.Context()))
	_, err := s.SyncDeleted(t.Context(), nil)
	require.ErrorIs(t, err, actors.ErrStopped)
}

// TestSyncDeletedIsNotBegunAfterItsContextHasEnded changes nothing.
func TestSyncDeletedIsNotBegunAfterItsContextHasEnded(t *testing.T) {
	s := fooStream(t, actors.Config{}, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.SyncDeleted(ctx, []actors.SequenceRange{{First: 1, Last: 3}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
}
