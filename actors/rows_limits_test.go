package actors_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// stores stores a message whose record takes so many bytes.
func (r *world) stores(subject string, size int, want error, opts ...actors.StoreOption) {
	r.Helper()
	waitFor(time.Second)
	_, err := r.s.StoreMsg(r.Context(), subject, nil, make([]byte, size-30-len(subject)), opts...)
	require.ErrorIs(r, err, want)
}

// raw stores a message as a replica does, without a check of limits.
func (r *world) raw(subject string, size int, at time.Time) {
	r.Helper()
	_, err := r.s.StoreRaw(r.Context(), actors.RawMessage{Subject: subject, Payload: make([]byte, size-30-len(subject)), Time: at})
	require.NoError(r, err)
}

// TestRowsOfLimits are the rows of what each limit does when something is stored.
func TestRowsOfLimits(t *testing.T) {
	maxMsgs := func(n int64) func(*actors.Config) { return func(c *actors.Config) { c.MaxMsgs = n } }
	discardNew := func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.Discard = 3, 3000, actors.DiscardNew }
	behaves(t, "B.6 MaxMsgs: discard old removes from the head", maxMsgs(3), func(r *world) {
		r.foo(3)
		r.listen()
		r.put("foo.B", "foo.A")
		r.hears("max messages -1 -1000 1 foo.A", "stored +1 +1000 4 foo.B", "max messages -1 -1000 2 foo.B", "stored +1 +1000 5 foo.A")
		r.stays("3 3000 3@3 5@5 [] 2")
	})
	behaves(t, "B.6 MaxMsgs: discard new refuses", func(c *actors.Config) { c.MaxMsgs, c.Discard = 3, actors.DiscardNew }, func(r *world) {
		r.foo(3)
		r.listen()
		r.stores("foo.A", 1000, actors.ErrMaxMsgs)
		r.hears()
		r.stays("3 3000 1@1 3@3 [] 2")
	})
	behaves(t, "B.6 MaxMsgs: discard new lets one through that takes the place of another of its subject", func(c *actors.Config) {
		c.MaxMsgs, c.MaxMsgsPer, c.Discard = 3, 2, actors.DiscardNew
	}, func(r *world) {
		r.put("a", "b", "a", "a")
		r.stores("b", 1000, actors.ErrMaxMsgs)
		r.stays("3 3000 2@2 4@4 [] 2")
	})
	for _, row := range []struct {
		name string
		n    int64
	}{{"B.6 MaxMsgs: 0 is no limit", 0}, {"B.6 MaxMsgs: below 0 is no limit", -5}} {
		behaves(t, row.name, func(c *actors.Config) {
			c.MaxMsgs, c.MaxBytes, c.MaxMsgsPer, c.Discard = row.n, row.n, row.n, actors.DiscardNew
		}, func(r *world) {
			r.foo(20)
			r.stays("20 20000 1@1 20@20 [] 2")
		})
	}

	maxBytes := func(c *actors.Config) { c.MaxBytes = 3000 }
	behaves(t, "B.6 MaxBytes: discard old removes from the head", maxBytes, func(r *world) {
		r.foo(3)
		r.listen()
		r.stores("c", 1001, nil)
		r.hears("max bytes -1 -1000 1 foo.A", "max bytes -1 -1000 2 foo.B", "stored +1 +1001 4 c")
		r.stays("2 2001 3@3 4@4 [] 2")
		r.stores("c", 3000, nil)
		r.stays("1 3000 5@5 5@5 [] 1")
	})
	behaves(t, "B.6 MaxBytes: what could never be held is refused", maxBytes, func(r *world) {
		r.foo(3)
		r.stores("c", 3001, actors.ErrMaxBytes)
		_, err := r.s.StoreBatch(r.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: "c", Payload: make([]byte, 3001)}})
		require.ErrorIs(r, err, actors.ErrMaxBytes)
		r.stays("3 3000 1@1 3@3 [] 2")
	})
	behaves(t, "B.6 MaxBytes: a raw message that could never be held is stored, and goes", maxBytes, func(r *world) {
		r.foo(3)
		r.listen()
		r.raw("c", 3001, r.begin.Add(4*time.Second))
		r.hears("max bytes -1 -1000 1 foo.A", "max bytes -1 -1000 2 foo.B", "max bytes -1 -1000 3 foo.A", "stored +1 +3001 4 c", "max bytes -1 -3001 4 c")
		r.stays("0 0 5@- 4@4 [] 0")
	})
	behaves(t, "B.6 MaxBytes: discard new takes what is equal, and refuses what is above", func(c *actors.Config) {
		c.MaxBytes, c.Discard = 3000, actors.DiscardNew
	}, func(r *world) {
		r.put("a", "b")
		r.stores("c", 1001, actors.ErrMaxBytes)
		r.stores("c", 1000, nil)
		r.stores("c", 31, actors.ErrMaxBytes)
		r.stays("3 3000 1@1 3@4 [] 3")
	})
	behaves(t, "B.6 MaxBytes: discard new lets one through that replaces one as large", func(c *actors.Config) {
		c.MaxBytes, c.MaxMsgsPer, c.Discard = 3000, 1, actors.DiscardNew
	}, func(r *world) {
		r.put("a", "b", "c")
		r.stores("a", 1001, actors.ErrMaxBytes)
		r.stores("a", 1000, nil)
		r.stores("b", 999, nil)
		r.stays("3 2999 3@3 5@6 [] 3")
	})

	behaves(t, "B.6 MaxMsgsPer: the oldest of the subject goes", func(c *actors.Config) { c.MaxMsgsPer = 2 }, func(r *world) {
		r.put("a", "b", "a")
		r.listen()
		r.put("a", "b", "a")
		r.hears("max messages of a subject -1 -1000 1 a", "stored +1 +1000 4 a", "stored +1 +1000 5 b",
			"max messages of a subject -1 -1000 3 a", "stored +1 +1000 6 a")
		r.stays("4 4000 2@2 6@6 [3] 2")
	})
	behaves(t, "B.6 MaxMsgsPer: also where new messages are discarded", func(c *actors.Config) { c.MaxMsgsPer, c.Discard = 2, actors.DiscardNew }, func(r *world) {
		r.put("a", "a", "a")
		r.stays("2 2000 2@2 3@3 [] 1")
	})
	behaves(t, "B.6 MaxMsgsPer: below -1 is -1", func(c *actors.Config) { c.MaxMsgsPer = -7 }, func(r *world) {
		r.put("a", "a", "a")
		require.Equal(r, int64(-1), r.s.Limits().MaxMsgsPer)
		r.stays("3 3000 1@1 3@3 [] 1")
	})
	behaves(t, "B.6 MaxMsgsPer: not of messages without a subject", func(c *actors.Config) { c.MaxMsgsPer = 1 }, func(r *world) {
		r.put("", "a", "", "a", "")
		r.stays("4 4000 1@1 5@5 [2] 1")
	})

	per := func(c *actors.Config) {
		c.MaxMsgsPer, c.Discard, c.DiscardNewPer, c.AllowRollup = 2, actors.DiscardNew, actors.On, actors.On
	}
	behaves(t, "B.6 DiscardNewPer: refuses where it would replace", per, func(r *world) {
		r.put("a", "a")
		r.stores("a", 1000, actors.ErrMaxMsgsPerSubject)
		r.put("b")
		r.stays("3 3000 1@1 3@4 [] 2")
	})
	behaves(t, "B.6 DiscardNewPer: comes before MaxMsgs and MaxBytes", func(c *actors.Config) { per(c); discardNew(c) }, func(r *world) {
		r.put("a", "a", "b")
		r.stores("a", 1000, actors.ErrMaxMsgsPerSubject)
		r.stores("c", 1000, actors.ErrMaxMsgs)
	})
	behaves(t, "B.6 DiscardNewPer: lets a roll-up through, which replaces", per, func(r *world) {
		r.put("a", "b", "a")
		_, err := r.s.StoreMsg(r.Context(), "a", actors.Header{"Nats-Rollup": {"sub"}}, nil)
		require.NoError(r, err)
		r.live(2, 4)
	})
	behaves(t, "B.6 DiscardNewPer: means nothing where old messages are discarded", func(c *actors.Config) { per(c); c.Discard = actors.DiscardOld }, func(r *world) {
		r.put("a", "a", "a")
		r.stays("2 2000 2@2 3@3 [] 1")
	})

	behaves(t, "B.6 Discard: a raw message need not be checked", func(c *actors.Config) { discardNew(c); c.MaxMsgsPer = 2 }, func(r *world) {
		r.put("a", "b", "b")
		r.raw("c", 1000, time.Now())
		r.raw("b", 1000, time.Now()) // and replaces the oldest of its subject all the same
		r.stays("4 4000 1@1 5@3 [2] 3")
		_, err := r.s.StoreRaw(r.Context(), actors.RawMessage{Subject: "c", Time: time.Now(), CheckDiscardNew: true})
		require.ErrorIs(r, err, actors.ErrMaxMsgs)
	})
	behaves(t, "B.6 Discard: with discard new nothing is removed, also by a change", nil, func(r *world) {
		r.foo(12)
		r.update(discardNew)
		r.is("12 12000 1@1 12@12 [] 2")
		r.reopen(discardNew)
		r.stays("12 12000 1@1 12@12 [] 2")
	})
	behaves(t, "B.6 MaxMsgSize: of header and payload", func(c *actors.Config) { c.MaxMsgSize = 1000 }, func(r *world) {
		r.stores("a", 1000+31, nil)
		r.stores("a", 1001+31, actors.ErrTooLarge)
		_, err := r.s.StoreMsg(r.Context(), "a", actors.Header{"A": {"b"}}, make([]byte, 1000))
		require.ErrorIs(r, err, actors.ErrTooLarge)
		r.stays("1 1031 1@1 1@1 [] 1")
	})

	first := func(n uint64) func(*actors.Config) { return func(c *actors.Config) { c.FirstSequence = n } }
	behaves(t, "B.6 FirstSeq: of a new stream, without a last time", first(1000), func(r *world) {
		r.stays("0 0 1000@- 999@- [] 0") // also without any file but blocks
		r.put("a")
		r.stays("1 1000 1000@1 1000@1 [] 1")
	})
	behaves(t, "B.6 FirstSeq: above the first of a stream that is there", nil, func(r *world) {
		r.foo(10)
		r.reopen(first(3))
		r.stays("10 10000 1@1 10@10 [] 2")
		r.reopen(first(1000))
		r.stays("10 10000 1@1 10@10 [] 2")
	})
	behaves(t, "B.6 FirstSeq: of a stream that has been emptied", nil, func(r *world) {
		r.foo(10)
		r.removes(10)(r.s.Purge(r.Context()))
		r.reopen(first(1000))
		r.stays("0 0 11@- 10@10 [] 0")
	})
	behaves(t, "B.6 FirstSeq: not by a change", nil, func(r *world) {
		r.update(first(1000))
		r.put("a")
		r.stays("1 1000 1@1 1@1 [] 1")
	})
}

// evictedPer are the notices of what MaxMsgsPer has removed.
func evictedPer(first, last int) (told []string) {
	for i := first; i <= last; i++ {
		told = append(told, fmt.Sprintf("max messages of a subject -1 -1000 %d %s", i, []string{"foo.B", "foo.A"}[i%2]))
	}
	return told
}

// TestRowsOfChanges are the rows of what a change of the configuration does to twelve messages a second apart, odd
// ones of foo.A, even ones of foo.B.
func TestRowsOfChanges(t *testing.T) {
	for _, row := range []struct {
		name        string
		before, set func(*actors.Config)
		want        string
		told        []string
	}{
		{"B.6 update: MaxMsgs lowered", nil, func(c *actors.Config) { c.MaxMsgs = 10 }, "10 10000 3@3 12@12 [] 2",
			[]string{"max messages -1 -1000 1 foo.A", "max messages -1 -1000 2 foo.B"}},
		{"B.6 update: MaxBytes lowered", nil, func(c *actors.Config) { c.MaxBytes = 11_999 }, "11 11000 2@2 12@12 [] 2",
			[]string{"max bytes -1 -1000 1 foo.A"}},
		{"B.6 update: MaxBytes lowered below a message", func(c *actors.Config) { c.MaxMsgs = 1 }, func(c *actors.Config) { c.MaxBytes = 999 }, "0 0 13@- 12@12 [] 0",
			[]string{"max bytes -1 -1000 12 foo.B"}},
		{"B.6 update: MaxBytes lowered, with discard new", func(c *actors.Config) { c.Discard = actors.DiscardNew },
			func(c *actors.Config) { c.MaxBytes, c.MaxMsgs = 11_999, 5 }, "12 12000 1@1 12@12 [] 2", nil},
		{"B.6 update: MaxAge set, expires at once", nil, func(c *actors.Config) { c.MaxAge = 10 * time.Second }, "10 10000 3@3 12@12 [] 2",
			[]string{"max age -1 -1000 1 foo.A", "max age -1 -1000 2 foo.B"}},
		{"B.6 update: MaxMsgsPer becomes limited", nil, func(c *actors.Config) { c.MaxMsgsPer = 5 }, "10 10000 3@3 12@12 [] 2",
			evictedPer(1, 2)},
		{"B.6 update: MaxMsgsPer becomes smaller", func(c *actors.Config) { c.MaxMsgsPer = 6 }, func(c *actors.Config) { c.MaxMsgsPer = 5 }, "10 10000 3@3 12@12 [] 2",
			evictedPer(1, 2)},
		{"B.6 update: MaxMsgsPer of a subject in the middle", nil, func(c *actors.Config) { c.MaxMsgsPer = 1 }, "2 2000 11@11 12@12 [] 2", evictedPer(1, 10)},
		{"B.6 update: MaxMsgs comes before MaxBytes, and that before MaxMsgsPer", nil, func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxMsgsPer = 11, 10_000, 4 },
			"8 8000 5@5 12@12 [] 2", []string{"max messages -1 -1000 1 foo.A", "max bytes -1 -1000 2 foo.B",
				"max messages of a subject -1 -1000 3 foo.A", "max messages of a subject -1 -1000 4 foo.B"}},
		{"B.6 update: growing limits remove nothing", func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxMsgsPer, c.MaxAge = 10, 10_000, 5, time.Hour },
			func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxMsgsPer, c.MaxAge = 11, 11_000, 6, 2*time.Hour }, "10 10000 3@3 12@12 [] 2", nil},
		{"B.6 update: a change of policy removes nothing", func(c *actors.Config) { c.MaxMsgs, c.Discard = 12, actors.DiscardNew },
			func(c *actors.Config) { c.Discard = actors.DiscardOld }, "12 12000 1@1 12@12 [] 2", nil},
	} {
		behaves(t, row.name, row.before, func(r *world) {
			r.foo(12)
			r.listen()
			r.update(row.set)
			r.hears(row.told...)
			r.stays(row.want)
			r.reopen(func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxMsgsPer, c.MaxAge = -1, -1, -1, -1 })
			r.stays(row.want) // what has gone does not come back
		})
	}
	behaves(t, "B.6 update: closed", nil, func(r *world) {
		r.stop()
		require.ErrorIs(r, r.s.UpdateConfig(r.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 1}), actors.ErrStopped)
	})
	for _, row := range []struct{ name, to string }{
		{"B.6 update: an empty name", ""}, {"B.6 update: a changed name", "OTHERS"},
	} {
		behaves(t, row.name, nil, func(r *world) {
			r.foo(12)
			require.ErrorIs(r, r.s.UpdateConfig(r.Context(), actors.Config{Name: row.to, MaxMsgs: 1}), actors.ErrConfig)
			r.stays("12 12000 1@1 12@12 [] 2")
		})
	}
	behaves(t, "B.6 update: what cannot be stored leaves the old one in force", func(c *actors.Config) { c.FS = blocktest.NewFaultFS(c.FS) }, func(r *world) {
		r.foo(12)
		failed := 0
		files := r.config.FS.(*blocktest.FaultFS)
		files.SetHook(func(op blocktest.Op) (f blocktest.Fault) {
			if op.Kind == blocktest.OpCreate && strings.Contains(op.Name, "meta.inf") && failed == 0 {
				f.Err = blocktest.ErrNoSpace
				failed++
			}
			return f
		})
		err := r.s.UpdateConfig(r.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 3})
		require.ErrorIs(r, err, blocktest.ErrNoSpace)
		require.NotErrorIs(r, err, actors.ErrOutcomeUnknown)
		r.put("foo.A")
		r.reopen(nil)
		r.is("13 13000 1@1 13@13 [] 2")
	})
	behaves(t, "B.6 update: MaxAge lifted", maxAge(10*time.Second), func(r *world) {
		r.foo(2)
		r.update(func(c *actors.Config) { c.MaxAge = -1 })
		r.config.MaxAge = 0 // as stored
		r.wakesNobody(time.Hour)
		r.stays("2 2000 1@1 2@2 [] 2")
	})
	behaves(t, "B.6 update: TTLs on and off", nil, func(r *world) {
		_, err := r.s.StoreMsg(r.Context(), "a", actors.Header{"Nats-TTL": {"5"}}, nil)
		require.NoError(r, err)
		r.put("b")
		r.update(allowTTLs)
		r.update(func(c *actors.Config) { c.AllowMsgTTL = actors.Off })
		waitFor(time.Minute)
		r.live(1, 2)
		r.update(allowTTLs)
		waitFor(time.Second)
		r.live(2)
	})
	behaves(t, "B.6 update: schedules on, and run at once", nil, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out")
		waitFor(10 * time.Second)
		r.live(1)
		r.update(withSchedules)
		waitABit()
		// At once, or with the tick behind it: the schedules that are there are looked for in the background.
		require.Contains(r, [][]string{{"by s +10s"}, {"by s +10.001s"}}, firedOn(r.T, r.s, "out", r.begin))
		r.live(2)
	})
	behaves(t, "B.6 update: schedules off", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out")
		r.update(func(c *actors.Config) { c.AllowMsgSchedules = actors.Off })
		waitFor(10 * time.Second)
		r.live(1)
	})
	behaves(t, "B.6 update: what an open alone takes is not looked at", nil, func(r *world) {
		r.update(func(c *actors.Config) { c.MaxInFlight, c.BlockSize = 1, 8<<10 })
		r.foo(1)
		r.stays("1 1000 1@1 1@1 [] 1") // SyncAlways, still

	})
}
