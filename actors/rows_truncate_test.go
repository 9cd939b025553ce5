package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestRowsOfTruncate are the rows of cutting the end of a stream off.
func TestRowsOfTruncate(t *testing.T) {
	for _, row := range []struct {
		name    string
		gone    []uint64 // removed before
		to      uint64
		removed uint64
		err     error
		want    string
	}{
		{"B.3 truncate: removes all above", nil, 7, 5, nil, "7 7000 1@1 7@7 [] 2"},
		{"B.3 truncate: deletes above are forgotten", []uint64{3, 8, 10, 12}, 7, 2, nil, "6 6000 1@1 7@7 [3] 2"},
		{"B.3 truncate: subjects that disappear are not counted", []uint64{3, 5, 7}, 2, 7, nil, "2 2000 1@1 2@2 [] 2"},
		{"B.3 truncate: to the only one", nil, 1, 11, nil, "1 1000 1@1 1@1 [] 1"},
		{"B.3 truncate: to a deleted one, the last time is the newest live one's", []uint64{6, 7}, 7, 5, nil, "5 5000 1@1 7@5 [6 7] 2"},
		{"B.3 truncate: to a deleted one whose block is gone", sequences(4, 9), 6, 3, nil, "3 3000 1@1 6@3 [4 5 6] 2"},
		{"B.3 truncate: to the last", []uint64{12}, 12, 0, nil, "11 11000 1@1 12@12 [12] 2"},
		{"B.3 truncate: above the last", nil, 13, 0, actors.ErrEOF, "12 12000 1@1 12@12 [] 2"},
		{"B.3 truncate: below the first sequence", sequences(1, 6), 3, 6, nil, "0 0 4@- 3@- [] 0"},
		{"B.3 truncate: to the one before the first", sequences(1, 6), 6, 6, nil, "0 0 7@- 6@- [] 0"},
		{"B.3 truncate: of an emptied stream", sequences(1, 12), 3, 0, nil, "0 0 4@- 3@- [] 0"},
		{"B.3 truncate: to nothing", []uint64{2, 12}, 0, 10, nil, "0 0 0@- 0@- [] 0"},
	} {
		behaves(t, row.name, nil, func(r *world) {
			r.foo(12)
			mustRemove(r.T, r.s, row.gone...)
			r.listen()
			removed, err := r.s.Truncate(r.Context(), row.to)
			require.ErrorIs(r, err, row.err)
			require.Equal(r, row.removed, removed)
			if row.err == nil {
				r.hears(describe([]actors.Notice{{Reason: actors.NoticeTruncated, Messages: -int64(removed), Bytes: -1000 * int64(removed)}})...)
			} else {
				r.hears()
			}
			r.stays(row.want)
			next := stateOf(r.T, r.s).LastSequence + 1
			ack, err := r.s.StoreMsg(r.Context(), "new", nil, []byte("new"))
			require.NoError(r, err)
			require.Equal(r, next, ack.Sequence)
			m, err := r.s.LoadMsg(r.Context(), next)
			require.NoError(r, err)
			require.Equal(r, "new", m.Subject)
		})
	}
	behaves(t, "B.3 truncate: of a purged stream, below its first", nil, func(r *world) {
		r.foo(10)
		r.removes(10)(r.s.Purge(r.Context()))
		r.removes(0)(r.s.Truncate(r.Context(), 3))
		r.stays("0 0 4@- 3@- [] 0")
	})
	behaves(t, "B.3 truncate: of a new stream", nil, func(r *world) {
		_, err := r.s.Truncate(r.Context(), 4)
		require.ErrorIs(r, err, actors.ErrEOF)
		r.removes(0)(r.s.Truncate(r.Context(), 0))
		r.stays("0 0 0@- 0@- [] 0")
	})
	behaves(t, "B.3 truncate: of a new stream, below its first", func(c *actors.Config) { c.FirstSequence = 1000 }, func(r *world) {
		r.removes(0)(r.s.Truncate(r.Context(), 500))
		r.stays("0 0 501@- 500@- [] 0")
	})
	behaves(t, "B.3 truncate: into skips", nil, func(r *world) {
		r.foo(3)
		_, err := r.s.Skip(r.Context(), 0, 1_000_000)
		require.NoError(r, err)
		r.removes(0)(r.s.Truncate(r.Context(), 5))
		r.stays("3 3000 1@1 5@3 [4 5] 2")
	})
	behaves(t, "B.3 truncate: what was removed stays so when its record is cut off", nil, func(r *world) {
		r.foo(8)
		mustRemove(r.T, r.s, 2)
		r.put("c", "c")
		r.removes(6)(r.s.Truncate(r.Context(), 4))
		r.stays("3 3000 1@1 4@4 [2] 2")
		r.put("c")
		r.stays("4 4000 1@1 5@11 [2] 3")
	})
	behaves(t, "B.3 truncate: a TTL of a sequence that is used again is nobody's", allowTTLs, func(r *world) {
		r.put("a", "a")
		mustStoreFor(r.T, r.s, "a", 2*time.Second)
		r.removes(1)(r.s.Truncate(r.Context(), 2))
		r.put("b")
		r.wakesNobody(time.Hour)
		r.is("3 3000 1@1 3@3 [] 2")
	})
	behaves(t, "B.3 truncate: a schedule of a sequence that is used again is nobody's", withSchedules, func(r *world) {
		r.put("a", "a")
		scheduleOn(r.T, r.s, "s", "@every 5s", "out")
		r.removes(1)(r.s.Truncate(r.Context(), 2))
		r.put("s")
		r.wakesNobody(time.Hour)
		r.is("3 3000 1@1 3@3 [] 2")
	})
	t.Run("B.3 truncate: what was accepted is written before it is cut", func(t *testing.T) {
		for _, level := range levels {
			behave(t, func(c *actors.Config) { c.Sync = level }, func(r *world) {
				r.foo(12)
				r.removes(5)(r.s.Truncate(r.Context(), 7))
				r.stays("7 7000 1@1 7@7 [] 2")
			})
		}
	})
	behaves(t, "B.3 truncate: closed", nil, func(r *world) {
		r.foo(2)
		r.stop()
		_, err := r.s.Truncate(r.Context(), 1)
		require.ErrorIs(r, err, actors.ErrStopped)
	})
}

// TestRowsOfSyncDeleted are the rows of taking over what another copy has deleted.
func TestRowsOfSyncDeleted(t *testing.T) {
	type ranges = []actors.SequenceRange
	for _, row := range []struct {
		name    string
		gone    []uint64 // removed before
		deleted ranges
		removed uint64
		want    string
	}{
		{"B.3 syncdeleted: nil", nil, nil, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 syncdeleted: an empty list", nil, ranges{}, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 syncdeleted: a range", nil, ranges{{First: 4, Last: 9}}, 6, "6 6000 1@1 12@12 [4 5 6 7 8 9] 2"},
		{"B.3 syncdeleted: a sparse set", nil, ranges{{First: 2, Last: 2}, {First: 5, Last: 5}, {First: 12, Last: 12}}, 3, "9 9000 1@1 12@12 [2 5 12] 2"},
		{"B.3 syncdeleted: from the first", nil, ranges{{First: 1, Last: 5}}, 5, "7 7000 6@6 12@12 [] 2"},
		{"B.3 syncdeleted: to beyond the last", nil, ranges{{First: 11, Last: 100}}, 2, "10 10000 1@1 12@12 [11 12] 2"},
		{"B.3 syncdeleted: beyond the last", nil, ranges{{First: 13, Last: 100}, {First: 200, Last: 300}}, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 syncdeleted: below the first", sequences(1, 4), ranges{{First: 1, Last: 3}}, 0, "8 8000 5@5 12@12 [] 2"},
		{"B.3 syncdeleted: already deleted", []uint64{3, 6}, ranges{{First: 3, Last: 6}}, 2, "8 8000 1@1 12@12 [3 4 5 6] 2"},
		{"B.3 syncdeleted: never brings back", []uint64{3, 6}, ranges{{First: 8, Last: 8}}, 1, "9 9000 1@1 12@12 [3 6 8] 2"},
		{"B.3 syncdeleted: sets of the same ends and count", []uint64{2, 5, 9}, ranges{{First: 2, Last: 2}, {First: 6, Last: 6}, {First: 9, Last: 9}}, 1, "8 8000 1@1 12@12 [2 5 6 9] 2"},
		{"B.3 syncdeleted: all", nil, ranges{{First: 0, Last: 12}}, 12, "0 0 13@- 12@12 [] 0"},
	} {
		behaves(t, row.name, nil, func(r *world) {
			r.foo(12)
			mustRemove(r.T, r.s, row.gone...)
			r.removes(row.removed)(r.s.SyncDeleted(r.Context(), row.deleted))
			r.stays(row.want) // durable, also without any file that can be made again
			r.removes(0)(r.s.SyncDeleted(r.Context(), row.deleted))
		})
	}
	behaves(t, "B.3 syncdeleted: of a new stream", nil, func(r *world) {
		r.removes(0)(r.s.SyncDeleted(r.Context(), ranges{{First: 1, Last: 5}}))
		r.is("0 0 0@- 0@- [] 0")
	})
	behaves(t, "B.3 syncdeleted: a notice for each message", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(2)(r.s.SyncDeleted(r.Context(), ranges{{First: 5, Last: 6}}))
		r.hears("deleted elsewhere -1 -1000 5 foo.A", "deleted elsewhere -1 -1000 6 foo.B")
	})
	behaves(t, "B.3 syncdeleted: whole blocks at the head are a sum", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(8)(r.s.SyncDeleted(r.Context(), ranges{{First: 1, Last: 8}}))
		r.hears("deleted elsewhere -8 -8000 0")
	})
	behaves(t, "B.3 syncdeleted: closed", nil, func(r *world) {
		r.stop()
		_, err := r.s.SyncDeleted(r.Context(), nil)
		require.ErrorIs(r, err, actors.ErrStopped)
	})
}
