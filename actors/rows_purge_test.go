package actors_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func allowTTLs(c *actors.Config) { c.AllowMsgTTL = actors.On }

// withLives is a configuration, and messages a, b and b of which the last two live for ten seconds, then 11 s of time.
func (r *world) withLives() {
	r.Helper()
	r.put("a")
	mustStoreFor(r.T, r.s, "b", 10*time.Second)
	mustStoreFor(r.T, r.s, "b", 10*time.Second)
}

// TestRowsOfPurge are the rows of removing everything.
func TestRowsOfPurge(t *testing.T) {
	behaves(t, "B.3 purge: removes everything", nil, func(r *world) {
		r.foo(12)
		mustRemove(r.T, r.s, 3, 12)
		r.removes(10)(r.s.Purge(r.Context()))
		r.stays("0 0 13@- 12@12 [] 0")
		r.put("a")
		r.stays("1 1000 13@13 13@13 [] 1")
	})
	behaves(t, "B.3 purge: one block remains", nil, func(r *world) {
		r.foo(12)
		r.removes(12)(r.s.Purge(r.Context()))
		waitABit()
		require.Equal(r, uint64(1), r.s.Stats().Blocks)
		for id := range 5 {
			require.Zero(r, r.blockBytes(id))
		}
		require.NotZero(r, r.blockBytes(5))
	})
	behaves(t, "B.3 purge: of an empty stream", nil, func(r *world) {
		r.foo(2)
		r.removes(2)(r.s.Purge(r.Context()))
		r.listen()
		r.removes(0)(r.s.Purge(r.Context()))
		r.hears("purged +0 +0 0")
		r.stays("0 0 3@- 2@2 [] 0")
	})
	behaves(t, "B.3 purge: of a new stream", nil, func(r *world) {
		r.is("0 0 0@- 0@- [] 0")
		r.listen()
		r.removes(0)(r.s.Purge(r.Context()))
		r.hears("purged +0 +0 0")
		r.is("0 0 1@- 0@- [] 0")
		r.put("a")
		r.stays("1 1000 1@1 1@1 [] 1")
	})
	behaves(t, "B.3 purge: the notice is a sum", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(12)(r.s.Purge(r.Context()))
		r.hears("purged -12 -12000 0")
	})
	t.Run("B.3 purge: costs the same whatever there is", func(t *testing.T) {
		var cost []int
		for _, n := range []int{8, 800} {
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			behave(t, func(c *actors.Config) { c.FS, c.Sync = files, actors.SyncAlways }, func(r *world) {
				r.foo(n)
				waitABit()
				operations := func() int {
					return files.CountOf(blocktest.OpWrite) + files.CountOf(blocktest.OpSync) + files.CountOf(blocktest.OpRead)
				}
				before := operations()
				r.removes(uint64(n))(r.s.Purge(r.Context()))
				cost = append(cost, operations()-before)
			})
		}
		require.Equal(t, cost[0], cost[1])
	})
	t.Run("B.3 purge: a crash leaves all or nothing", func(t *testing.T) {
		crashEach(t, actors.Config{BlockSize: 4 << 10}, func(s *actors.Store) {
			for range 12 {
				mustStore(t, s, "a", string(make([]byte, 900)))
			}
		}, func(s *actors.Store) {
			n, err := s.Purge(t.Context())
			require.NoError(t, err)
			require.Equal(t, uint64(12), n)
		}, func(s *actors.Store, image crashImage) {
			got, _ := collect(t, s)
			if len(got) > 0 {
				require.Equal(t, sequences(1, 12), got, "%v %v", image.op, image.mode)
				require.False(t, image.done)
			}
			require.Equal(t, uint64(12), stateOf(t, s).LastSequence)
		})
	})
	behaves(t, "B.3 purge: TTLs go with their messages", allowTTLs, func(r *world) {
		r.withLives()
		r.removes(3)(r.s.Purge(r.Context()))
		r.wakesNobody(time.Hour)
	})
	behaves(t, "B.3 purge: no marker comes of what is gone", func(c *actors.Config) { c.SubjectDeleteMarkerTTL = time.Minute }, func(r *world) {
		r.withLives()
		r.removes(3)(r.s.Purge(r.Context()))
		waitFor(time.Minute)
		r.is("0 0 4@- 3@1 [] 0")
	})
	behaves(t, "B.3 purge: closed", nil, func(r *world) {
		r.stop()
		_, err := r.s.Purge(r.Context())
		require.ErrorIs(r, err, actors.ErrStopped)
	})
}

// TestRowsOfPurgeEx are the rows of purging by subject, below a sequence, but for the newest.
func TestRowsOfPurgeEx(t *testing.T) {
	for _, row := range []struct {
		name        string
		subject     string
		below, keep uint64
		removed     uint64
		want        string
	}{
		// Of twelve messages, odd ones of foo.A, even ones of foo.B; E is the empty filter.
		{"B.3 purgeex: foo.A 0 0", "foo.A", 0, 0, 6, "6 6000 2@2 12@12 [3 5 7 9 11] 1"},
		{"B.3 purgeex: foo.A 6 0", "foo.A", 6, 0, 3, "9 9000 2@2 12@12 [3 5] 2"},
		{"B.3 purgeex: foo.A 0 2", "foo.A", 0, 2, 4, "8 8000 2@2 12@12 [3 5 7] 2"},
		{"B.3 purgeex: foo.A 4 2", "foo.A", 4, 2, 2, "10 10000 2@2 12@12 [3] 2"},
		{"B.3 purgeex: foo.A 8 5", "foo.A", 8, 5, 1, "11 11000 2@2 12@12 [] 2"},
		{"B.3 purgeex: foo.A 0 6", "foo.A", 0, 6, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: foo.A 0 7", "foo.A", 0, 7, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: foo.A 100 0", "foo.A", 100, 0, 6, "6 6000 2@2 12@12 [3 5 7 9 11] 1"},
		{"B.3 purgeex: foo.* 100 0", "foo.*", 100, 0, 12, "0 0 13@- 12@12 [] 0"},
		{"B.3 purgeex: E 0 3", "", 0, 3, 9, "3 3000 10@10 12@12 [] 2"},
		{"B.3 purgeex: > 0 3", ">", 0, 3, 9, "3 3000 10@10 12@12 [] 2"},
		{"B.3 purgeex: E 5 3", "", 5, 3, 4, "8 8000 5@5 12@12 [] 2"},
		{"B.3 purgeex: > 5 2", ">", 5, 2, 4, "8 8000 5@5 12@12 [] 2"},
		{"B.3 purgeex: E 100 0", "", 100, 0, 12, "0 0 100@- 99@12 [] 0"},
		{"B.3 purgeex: bar 0 0", "bar", 0, 0, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: * 0 0", "*", 0, 0, 0, "12 12000 1@1 12@12 [] 2"},
		// The order of evaluation.
		{"B.3 purgeex: below 1 is nothing, of a subject", "foo.A", 1, 0, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: below 1 is nothing, of everything", "", 1, 0, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: below 1 is nothing, with keep", ">", 1, 3, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 purgeex: E 0 0 is Purge", "", 0, 0, 12, "0 0 13@- 12@12 [] 0"},
		{"B.3 purgeex: > 0 0 is Purge", ">", 0, 0, 12, "0 0 13@- 12@12 [] 0"},
	} {
		behaves(t, row.name, nil, func(r *world) {
			r.foo(12)
			r.removes(row.removed)(r.s.PurgeEx(r.Context(), actors.Filter(row.subject), row.below, row.keep))
			r.stays(row.want)
		})
	}
	behaves(t, "B.3 purgeex: of a new stream", nil, func(r *world) {
		r.removes(0)(r.s.PurgeEx(r.Context(), actors.Filter("a"), 0, 0))
		r.is("0 0 0@- 0@- [] 0")
		r.removes(0)(r.s.PurgeEx(r.Context(), actors.Filter(">"), 0, 0))
		r.is("0 0 1@- 0@- [] 0")
		r.removes(0)(r.s.PurgeEx(r.Context(), actors.Filter(""), 100, 5))
		r.stays("0 0 100@- 99@- [] 0")
	})
	behaves(t, "B.3 purgeex: keep counts messages, not sequences", nil, func(r *world) {
		r.foo(12)
		mustRemove(r.T, r.s, 7, 11)
		r.removes(2)(r.s.PurgeEx(r.Context(), actors.Filter("foo.A"), 0, 2))
		r.stays("8 8000 2@2 12@12 [3 7 11] 2")
		r.removes(5)(r.s.PurgeEx(r.Context(), actors.Filter(""), 0, 3))
		r.stays("3 3000 9@9 12@12 [11] 2")
	})
	behaves(t, "B.3 purgeex: subjects that disappear are not counted", nil, func(r *world) {
		r.put("x.1", "y", "x.2", "x.1")
		r.removes(3)(r.s.PurgeEx(r.Context(), actors.Filter("x.*"), 0, 0))
		r.stays("1 1000 2@2 4@4 [3 4] 1")
	})
	behaves(t, "B.3 purgeex: the newest stays the last sequence, with its time", nil, func(r *world) {
		r.put("a", "b", "b")
		r.removes(2)(r.s.PurgeEx(r.Context(), actors.Filter("b"), 0, 0))
		r.stays("1 1000 1@1 3@3 [2 3] 1")
	})
	behaves(t, "B.3 purgeex: one flush, however many", nil, func(r *world) {
		r.foo(800)
		waitABit()
		before := r.s.Stats().CommitSeconds.Count
		r.removes(400)(r.s.PurgeEx(r.Context(), actors.Filter("foo.A"), 0, 0))
		require.LessOrEqual(r, r.s.Stats().CommitSeconds.Count-before, uint64(2))
	})
	behaves(t, "B.3 purgeex: of so many that it goes in pieces", nil, func(r *world) {
		batch := make([]actors.BatchMessage, 10_000)
		for i := range batch {
			batch[i] = actors.BatchMessage{Subject: []string{"foo.A", "foo.B"}[i%2]}
		}
		_, err := r.s.StoreBatch(r.Context(), batch)
		require.NoError(r, err)
		r.listen()
		r.removes(4900)(r.s.PurgeEx(r.Context(), actors.Filter("foo.A"), 0, 100))
		r.hears(fmt.Sprintf("purged -4900 -%d 0", 4900*35))
		r.removes(5010)(r.s.PurgeEx(r.Context(), actors.Filter(""), 0, 90))
		r.hears(fmt.Sprintf("purged -5010 -%d 0", 5010*35))
		r.stays(fmt.Sprintf("90 %d 9911@0 10000@0 [] 2", 90*35))
	})
	behaves(t, "B.3 purgeex: E and > select messages without a subject, * does not", nil, func(r *world) {
		r.put("", "a", "", "b", "")
		r.removes(2)(r.s.PurgeEx(r.Context(), actors.Filter("*"), 0, 0))
		r.stays("3 3000 1@1 5@5 [2 4] 0")
		r.removes(1)(r.s.PurgeEx(r.Context(), actors.Filter(">"), 0, 2))
		r.removes(1)(r.s.PurgeEx(r.Context(), actors.Filter(""), 0, 1))
		r.stays("1 1000 5@5 5@5 [] 0")
	})
	behaves(t, "B.3 purgeex: closed, also with keep", nil, func(r *world) {
		r.foo(2)
		r.stop()
		for _, keep := range []uint64{0, 1} {
			_, err := r.s.PurgeEx(r.Context(), actors.Filter("foo.A"), 0, keep)
			require.ErrorIs(r, err, actors.ErrStopped)
		}
	})
	behaves(t, "B.3 purgeex: counting and purging are one step", nil, func(r *world) {
		for range 20 {
			mustStore(r.T, r.s, "a", "")
			stored := make(chan error, 1)
			go func() {
				_, err := r.s.StoreMsg(r.Context(), "a", nil, nil)
				stored <- err
			}()
			_, err := r.s.PurgeEx(r.Context(), actors.Filter("a"), 0, 1)
			require.NoError(r, err)
			require.NoError(r, <-stored)
			last := stateOf(r.T, r.s).LastSequence
			require.Contains(r, [][]uint64{{last}, {last - 1, last}}, liveOf(r.T, r.s))
		}
	})
	behaves(t, "B.3 purgeex: a roll-up of a subject keeps itself", nil, func(r *world) {
		r.foo(12)
		_, err := r.s.StoreMsg(r.Context(), "foo.A", nil, make([]byte, 965), actors.Rollup(actors.RollupSubject))
		require.NoError(r, err)
		r.stays("7 7000 2@2 13@12 [3 5 7 9 11] 2")
	})
	behaves(t, "B.3 purgeex: a roll-up of all keeps itself", nil, func(r *world) {
		r.foo(12)
		_, err := r.s.StoreMsg(r.Context(), "foo.A", nil, make([]byte, 965), actors.Rollup(actors.RollupAll))
		require.NoError(r, err)
		r.stays("1 1000 13@12 13@12 [] 1")
	})
	behaves(t, "B.3 purgeex: the notice of one message has its subject", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(1)(r.s.PurgeEx(r.Context(), actors.Filter("foo.*"), 0, 11))
		r.hears("purged -1 -1000 1 foo.A")
	})
	behaves(t, "B.3 purgeex: the notice of several is a sum", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(6)(r.s.PurgeEx(r.Context(), actors.Filter("foo.A"), 0, 0))
		r.hears("purged -6 -6000 0")
	})
	behaves(t, "B.3 purgeex: no notice where nothing goes", nil, func(r *world) {
		r.foo(12)
		r.listen()
		r.removes(0)(r.s.PurgeEx(r.Context(), actors.Filter("foo.B"), 2, 0))
		r.removes(0)(r.s.PurgeEx(r.Context(), actors.Filter("bar"), 0, 0))
		r.hears()
	})
	behaves(t, "B.3 purgeex: TTLs go with their messages", allowTTLs, func(r *world) {
		r.withLives()
		r.removes(2)(r.s.PurgeEx(r.Context(), actors.Filter("b"), 0, 0))
		r.wakesNobody(time.Hour)
		r.is("1 1000 1@1 3@1 [2 3] 1")
	})
}

// TestRowsOfCompact are the rows of removing all below a sequence.
func TestRowsOfCompact(t *testing.T) {
	for _, row := range []struct {
		name    string
		gone    []uint64 // removed before
		below   uint64
		removed uint64
		want    string
	}{
		{"B.3 compact: 0 is Purge", nil, 0, 12, "0 0 13@- 12@12 [] 0"},
		{"B.3 compact: up to the first", nil, 1, 0, "12 12000 1@1 12@12 [] 2"},
		{"B.3 compact: below the first", sequences(1, 4), 3, 0, "8 8000 5@5 12@12 [] 2"},
		{"B.3 compact: to one in between", nil, 6, 5, "7 7000 6@6 12@12 [] 2"},
		{"B.3 compact: to the last", nil, 12, 11, "1 1000 12@12 12@12 [] 1"},
		{"B.3 compact: to a deleted one, the first is the next live one", []uint64{6, 7}, 6, 5, "5 5000 8@8 12@12 [] 2"},
		{"B.3 compact: where nothing is live from there on", sequences(9, 12), 10, 8, "0 0 13@- 12@12 [] 0"},
		{"B.3 compact: above the last", nil, 100, 12, "0 0 100@- 99@12 [] 0"},
		{"B.3 compact: to the one behind the last", nil, 13, 12, "0 0 13@- 12@12 [] 0"},
		{"B.3 compact: of an empty stream, up to the last", sequences(1, 12), 12, 0, "0 0 13@- 12@12 [] 0"},
		{"B.3 compact: of an empty stream, to the one behind the last", sequences(1, 12), 13, 0, "0 0 13@- 12@12 [] 0"},
		{"B.3 compact: of an empty stream, above the last", sequences(1, 12), 100, 0, "0 0 100@- 99@12 [] 0"},
		{"B.3 compact: counts what was live", []uint64{2, 3}, 6, 3, "7 7000 6@6 12@12 [] 2"},
		{"B.3 compact: deletes below the first disappear", []uint64{2, 3, 8, 10}, 8, 5, "3 3000 9@9 12@12 [10] 2"},
		{"B.3 compact: the first time is of the first, when a block goes", []uint64{6, 7, 8}, 6, 5, "4 4000 9@9 12@12 [] 2"},
	} {
		behaves(t, row.name, nil, func(r *world) {
			r.foo(12)
			mustRemove(r.T, r.s, row.gone...)
			r.listen()
			r.removes(row.removed)(r.s.Compact(r.Context(), row.below))
			if list := r.heard.take(r.T); row.removed == 0 {
				require.Empty(r, list, "there is a notice only of what goes")
			} else {
				require.Equal(r, describe([]actors.Notice{{Reason: actors.NoticeCompacted, Messages: -int64(row.removed), Bytes: -1000 * int64(row.removed)}}), list)
			}
			r.stays(row.want)
			next := stateOf(r.T, r.s).LastSequence + 1
			require.Equal(r, next, mustStore(r.T, r.s, "a", "").Sequence)
		})
	}
	behaves(t, "B.3 compact: the chain", nil, func(r *world) {
		r.foo(10)
		for _, step := range []struct {
			below, removed uint64
			want           string
		}{
			{1, 0, "10 10000 1@1 10@10 [] 2"}, {5, 4, "6 6000 5@5 10@10 [] 2"}, {3, 0, "6 6000 5@5 10@10 [] 2"},
			{100, 6, "0 0 100@- 99@10 [] 0"}, {50, 0, "0 0 100@- 99@10 [] 0"}, {101, 0, "0 0 101@- 100@10 [] 0"}, {0, 0, "0 0 101@- 100@10 [] 0"},
		} {
			r.removes(step.removed)(r.s.Compact(r.Context(), step.below))
			r.stays(step.want)
		}
		require.Equal(r, uint64(101), mustStore(r.T, r.s, "a", "").Sequence)
	})
	behaves(t, "B.3 compact: of skips", nil, func(r *world) {
		r.foo(3)
		_, err := r.s.Skip(r.Context(), 0, 1_000_000)
		require.NoError(r, err)
		r.removes(3)(r.s.Compact(r.Context(), 500_000))
		r.stays("0 0 1000004@- 1000003@3 [] 0")
		r.put("a")
		r.stays("1 1000 1000004@4 1000004@4 [] 1")
	})
	behaves(t, "B.3 compact: of a new stream", nil, func(r *world) {
		r.removes(0)(r.s.Compact(r.Context(), 7))
		r.stays("0 0 7@- 6@- [] 0")
	})
	t.Run("B.3 compact: beside a store", func(t *testing.T) {
		for range 30 {
			behave(t, nil, func(r *world) {
				r.put("a")
				stored := make(chan error, 1)
				go func() {
					_, err := r.s.StoreMsg(r.Context(), "a", nil, make([]byte, 969))
					stored <- err
				}()
				_, err := r.s.Compact(r.Context(), 2)
				require.NoError(r, err)
				require.NoError(r, <-stored)
				r.is("1 1000 2@1 2@1 [] 1")
			})
		}
	})
	t.Run("B.3 compact: a crash leaves all or nothing", func(t *testing.T) {
		crashEach(t, actors.Config{BlockSize: 4 << 10}, func(s *actors.Store) {
			for range 12 {
				mustStore(t, s, "a", string(make([]byte, 900)))
			}
		}, func(s *actors.Store) {
			n, err := s.Compact(t.Context(), 7)
			require.NoError(t, err)
			require.Equal(t, uint64(6), n)
		}, func(s *actors.Store, image crashImage) {
			got, _ := collect(t, s)
			if len(got) != 12 || image.done {
				require.Equal(t, sequences(7, 12), got[:6], "%v %v", image.op, image.mode)
			}
		}, func(s *actors.Store) { mustStore(t, s, "later", "") })
	})
	behaves(t, "B.3 compact: TTLs go with their messages", allowTTLs, func(r *world) {
		r.withLives()
		r.put("a")
		r.removes(3)(r.s.Compact(r.Context(), 4))
		r.wakesNobody(time.Hour)
		r.is("1 1000 4@2 4@2 [] 1")
	})
	behaves(t, "B.3 compact: closed", nil, func(r *world) {
		r.stop()
		_, err := r.s.Compact(r.Context(), 1)
		require.ErrorIs(r, err, actors.ErrStopped)
	})
}
