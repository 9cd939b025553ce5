package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// until waits until so long after the row has begun, and a moment.
func (r *world) until(after time.Duration) {
	r.Helper()
	waitFor(time.Until(r.begin.Add(after + time.Millisecond)))
}

func maxAge(d time.Duration) func(*actors.Config) {
	return func(c *actors.Config) { c.MaxAge, c.AllowMsgTTL = d, actors.On }
}

// lives stores a message with a value of the header Nats-TTL.
func (r *world) lives(subject, ttl string, more ...string) {
	r.Helper()
	header := actors.Header{"Nats-TTL": {ttl}}
	for i := 0; i < len(more); i += 2 {
		header[more[i]] = []string{more[i+1]}
	}
	_, err := r.s.StoreMsg(r.Context(), subject, header, nil)
	require.NoError(r, err)
}

// TestRowsOfMaxAge are the rows of what goes for its age.
func TestRowsOfMaxAge(t *testing.T) {
	const second = time.Second
	behaves(t, "B.7.1 age: due when it is as old as MaxAge", maxAge(10*second), func(r *world) {
		r.put("a")
		r.until(11*second - 2*time.Millisecond)
		r.is("1 1000 1@1 1@1 [] 1")
		r.until(11 * second)
		r.stays("0 0 2@- 1@1 [] 0")
	})
	behaves(t, "B.7.1 age: from the head upward, a notice each", maxAge(10*second), func(r *world) {
		r.foo(4)
		r.listen()
		r.until(12 * second)
		r.hears("max age -1 -1000 1 foo.A", "max age -1 -1000 2 foo.B")
		r.stays("2 2000 3@3 4@4 [] 2")
		r.until(14 * second)
		r.heard.take(r.T)
		r.stays("0 0 5@- 4@4 [] 0")
	})
	behaves(t, "B.7.1 age: what lives for ever stays, and what is behind it goes", maxAge(10*second), func(r *world) {
		r.put("a")
		r.lives("b", "never")
		r.put("a")
		r.lives("c", "never")
		r.put("a")
		r.until(time.Hour)
		r.live(2, 4)
		r.crashed(func(s *actors.Store) { require.Equal(r, []uint64{2, 4}, liveOf(r.T, s)) })
	})
	behaves(t, "B.7.1 age: what lives for ever survives an open", maxAge(10*second), func(r *world) {
		r.put("a")
		r.lives("b", "never")
		r.stop()
		waitFor(time.Hour)
		r.s = open(r.T, r.config)
		waitFor(second)
		r.live(2)
	})
	behaves(t, "B.7.1 age: armed by an open", maxAge(10*second), func(r *world) {
		r.put("a")
		r.until(6 * second)
		r.reopen(nil)
		r.until(11*second - 2*time.Millisecond)
		r.live(1)
		r.until(11 * second)
		r.live()
	})
	behaves(t, "B.7.1 age: at most 250 ms late", maxAge(100*time.Millisecond), func(r *world) {
		for range 40 { // some of them right after a run
			begin := time.Now()
			mustStore(r.T, r.s, "a", "")
			waitFor(time.Until(begin.Add(99 * time.Millisecond)))
			require.NotZero(r, stateOf(r.T, r.s).Messages)
			waitFor(252 * time.Millisecond)
			require.Zero(r, stateOf(r.T, r.s).Messages)
			waitFor(7 * time.Millisecond)
		}
	})
	behaves(t, "B.7.1 age: a later message does not put a run off", maxAge(10*second), func(r *world) {
		for range 110 {
			mustStore(r.T, r.s, "a", "")
			waitFor(100 * time.Millisecond)
		}
		require.InDelta(r, 100, stateOf(r.T, r.s).Messages, 3)
	})
	behaves(t, "B.7.1 age: a message that is old already goes at its time, also the second one", maxAge(3*second), func(r *world) {
		for range 2 {
			r.raw("a", 100, time.Now().Add(-2500*time.Millisecond))
			waitFor(400 * time.Millisecond)
			require.Equal(r, uint64(1), stateOf(r.T, r.s).Messages)
			waitFor(360 * time.Millisecond)
			require.Zero(r, stateOf(r.T, r.s).Messages)
		}
	})
	behaves(t, "B.7.1 age: each at its own time, wherever it stands", maxAge(60*second), func(r *world) {
		for _, age := range []int{30, 50, 10, 3600} {
			r.raw("a", 100, r.begin.Add(-time.Duration(age)*second))
		}
		waitFor(second)
		r.live(1, 2, 3) // an hour is too old, at once
		r.until(10 * second)
		r.live(1, 3)
		r.until(30 * second)
		r.live(3)
		r.until(50 * second)
		r.live()
	})
	behaves(t, "B.7.1 age: an old time makes no other message older", maxAge(60*second), func(r *world) {
		r.put("a")
		r.raw("b", 100, time.Unix(0, 0))
		r.put("a")
		waitFor(second)
		r.live(1, 3)
		r.until(61 * second)
		r.live(3)
	})
	behaves(t, "B.7.1 age: a time ahead of the clock counts as the highest around it, and holds nothing up", maxAge(60*second), func(r *world) {
		r.put("a")
		r.raw("b", 100, time.Now().Add(30*24*time.Hour))
		r.put("a", "a")
		m, err := r.s.LoadMsg(r.Context(), 3)
		require.NoError(r, err)
		require.Equal(r, 2*second, m.Time.Sub(r.begin), "later messages have the time of the clock")
		r.until(61*second + 250*time.Millisecond)
		r.live(2, 3, 4)
		r.until(63*second + 250*time.Millisecond)
		r.live()
	})
	behaves(t, "B.7.1 age: a clock that was ten years ahead", maxAge(60*second), func(r *world) {
		r.put("a")
		r.ahead.Store(int64(10 * 365 * 24 * time.Hour))
		r.put("a")
		r.live(2) // the first is ten years old
		r.ahead.Store(0)
		r.put("a")
		m, err := r.s.LoadMsg(r.Context(), 3)
		require.NoError(r, err)
		require.Equal(r, 3*second, m.Time.Sub(r.begin))
		r.until(62 * second)
		require.Contains(r, liveOf(r.T, r.s), uint64(3))
		r.until(63*second + 250*time.Millisecond)
		r.live()
		r.wakesNobody(time.Hour)
	})
	behaves(t, "B.7.1 age: a TTL that is longer does not count", maxAge(second), func(r *world) {
		r.lives("a", "10s")
		r.until(second)
		r.live()
	})
	behaves(t, "B.7.1 age: a TTL that is shorter counts", maxAge(10*second), func(r *world) {
		r.lives("a", "1s")
		r.until(second)
		r.live()
	})
}

// TestRowsOfTTL are the rows of messages that say how long they live.
func TestRowsOfTTL(t *testing.T) {
	const second = time.Second
	for _, row := range []struct {
		name, value string
		lives       time.Duration // 0: for ever
		bad         bool
	}{
		{"B.7.2 header: never", "never", 0, false},
		{"B.7.2 header: a duration", "1m1s", 61 * second, false},
		{"B.7.2 header: a duration of a second", "1s", second, false},
		{"B.7.2 header: a duration is cut to whole seconds", "1999ms", second, false},
		{"B.7.2 header: a duration below a second", "999ms", 0, true},
		{"B.7.2 header: seconds", "3", 3 * second, false},
		{"B.7.2 header: no seconds", "00", 0, false},
		{"B.7.2 header: 0, which is a duration", "0", 0, true},
		{"B.7.2 header: below 0", "-2", 0, true},
		{"B.7.2 header: anything else", "soon", 0, true},
	} {
		behaves(t, row.name, allowTTLs, func(r *world) {
			header := actors.Header{"Nats-TTL": {row.value}}
			_, err := r.s.StoreMsg(r.Context(), "a", header, nil)
			if row.bad {
				require.ErrorIs(r, err, actors.ErrBadHeader)
				r.is("0 0 0@- 0@- [] 0")
				block, err := header.AppendBlock(nil)
				require.NoError(r, err)
				_, err = r.s.StoreRaw(r.Context(), actors.RawMessage{Subject: "a", HeaderBlock: block, Time: time.Now()})
				require.NoError(r, err)
			} else {
				require.NoError(r, err)
			}
			if row.lives > 0 {
				r.until(row.lives - 2*time.Millisecond)
				r.live(1)
				r.until(row.lives)
				r.live()
			} else {
				waitFor(time.Hour)
				r.live(1)
			}
		})
	}
	behaves(t, "B.7.2 TTL: gone after a second, by 250 ms at most", allowTTLs, func(r *world) {
		for range 20 {
			begin := time.Now()
			r.lives("a", "1")
			waitFor(time.Until(begin.Add(999 * time.Millisecond)))
			require.NotZero(r, stateOf(r.T, r.s).Messages)
			waitFor(252 * time.Millisecond)
			require.Zero(r, stateOf(r.T, r.s).Messages)
			waitFor(7 * time.Millisecond)
		}
	})
	behaves(t, "B.7.2 TTL: a notice with the arguments of the message", allowTTLs, func(r *world) {
		r.lives("a", "1")
		r.listen()
		r.until(second)
		size := actors.RecordSize(1, len("NATS/1.0\r\nNats-TTL: 1\r\n\r\n"), 0)
		r.hears(describe([]actors.Notice{{Reason: actors.NoticeTTL, Messages: -1, Bytes: -int64(size), Sequence: 1, Subject: "a"}})...)
	})
	behaves(t, "B.7.2 TTL: gone stays gone, without any file but blocks, and without TTLs", allowTTLs, func(r *world) {
		r.put("a")
		r.lives("b", "5")
		r.put("a")
		r.until(6 * second)
		r.config.AllowMsgTTL = actors.Off
		r.stays("2 2000 1@1 3@2 [2] 1")
	})
	behaves(t, "B.7.2 TTL: in any order, wherever it stands", allowTTLs, func(r *world) {
		r.put("a")
		r.lives("b", "8")
		r.lives("b", "2")
		r.put("a")
		r.lives("b", "5")
		r.until(3 * second)
		r.live(1, 2, 4, 5)
		r.until(7 * second)
		r.live(1, 2, 4)
		r.until(9 * second)
		r.live(1, 4)
	})
	behaves(t, "B.7.2 TTL: the time counts, not the store", allowTTLs, func(r *world) {
		block := []byte("NATS/1.0\r\nNats-TTL: 10\r\n\r\n")
		_, err := r.s.StoreRaw(r.Context(), actors.RawMessage{Subject: "a", HeaderBlock: block, Time: r.begin.Add(-9 * second)})
		require.NoError(r, err)
		r.until(second)
		r.live()
	})
	recovered := func(name string, set func(*actors.Config), reopen func(r *world)) {
		behaves(t, name, set, func(r *world) {
			r.lives("a", "10")
			r.put("b", "b", "b", "b") // more than a block
			r.lives("a", "20")
			r.put("b")
			r.lives("a", "30") // the very last before the stop
			reopen(r)
			for i, want := range [][]uint64{{1, 2, 3, 4, 5, 6, 7, 8}, {2, 3, 4, 5, 6, 7, 8}, {2, 3, 4, 5, 7, 8}, {2, 3, 4, 5, 7}} {
				r.until(time.Duration(i*10+5) * second)
				r.live(want...)
			}
		})
	}
	recovered("B.7.2 TTL: recovered after a stop, also of the last message", allowTTLs, func(r *world) { r.reopen(nil) })
	recovered("B.7.2 TTL: recovered after a loss of power", allowTTLs, func(r *world) {
		image := r.powerLoss()
		r.reopen(func(c *actors.Config) { c.FS = image })
	})
	recovered("B.7.2 TTL: recovered where TTLs are turned on later, at an open", nil, func(r *world) { r.reopen(allowTTLs) })
	recovered("B.7.2 TTL: recovered where TTLs are turned on later, by a change", nil, func(r *world) { r.update(allowTTLs) })
	recovered("B.7.2 TTL: a TTL file that is damaged is not read", allowTTLs, func(r *world) {
		r.stop()
		require.NoError(r, blockio.ReplaceFile(r.config.FS, "data/ORDERS/msgs/"+blockio.TTLFile, []byte("garbage")))
		r.s = open(r.T, r.config)
	})
}

// TestRowsOfMarkers are the rows of what is left of a subject whose last message goes for its age or by its TTL.
func TestRowsOfMarkers(t *testing.T) {
	const second = time.Second
	markers := func(c *actors.Config) { c.MaxAge, c.SubjectDeleteMarkerTTL = 10*second, 10*second+999*time.Millisecond }
	for _, row := range []struct {
		name string
		set  func(*actors.Config)
		put  func(r *world)
		want map[string]uint64 // 10 s later
		live []uint64
	}{
		{"B.7.3 marker: of the last of its subject, by age", markers, func(r *world) {
			mustStore(r.T, r.s, "a", "")
		}, map[string]uint64{"a": 2}, []uint64{2}},
		{"B.7.3 marker: of the last of its subject, by TTL", markers, func(r *world) { r.lives("a", "5") }, map[string]uint64{"a": 2}, []uint64{2}},
		{"B.7.3 marker: none while the subject has a later one", markers, func(r *world) {
			r.lives("a", "5")
			r.lives("a", "never")
		}, map[string]uint64{}, []uint64{2}},
		{"B.7.3 marker: none while the subject has an earlier one", markers, func(r *world) {
			r.lives("a", "never")
			r.lives("a", "5")
		}, map[string]uint64{}, []uint64{1}},
		{"B.7.3 marker: one of two that are due together", markers, func(r *world) {
			mustStore(r.T, r.s, "a", "")
			mustStore(r.T, r.s, "a", "")
		}, map[string]uint64{"a": 3}, []uint64{3}},
		{"B.7.3 marker: due together, in the order of sequences", markers, func(r *world) {
			for _, subject := range []string{"c", "a", "b", "a"} {
				mustStore(r.T, r.s, subject, "")
			}
		}, map[string]uint64{"c": 5, "b": 6, "a": 7}, []uint64{5, 6, 7}},
		{"B.7.3 marker: none of a marker", markers, func(r *world) { r.lives("a", "5", "Nats-Marker-Reason", "Purge") }, map[string]uint64{}, nil},
		{"B.7.3 marker: none of a purge of a key", markers, func(r *world) { r.lives("a", "5", "KV-Operation", "PURGE") }, map[string]uint64{}, nil},
		{"B.7.3 marker: of a deletion of a key", markers, func(r *world) { r.lives("a", "5", "KV-Operation", "DEL") }, map[string]uint64{"a": 2}, []uint64{2}},
		{"B.7.3 marker: none without a subject", markers, func(r *world) { mustStoreRaw(r.T, r.s, "", "") }, map[string]uint64{}, nil},
		{"B.7.3 marker: none of what is removed", markers, func(r *world) {
			mustStore(r.T, r.s, "a", "")
			mustRemove(r.T, r.s, 1)
		}, map[string]uint64{}, nil},
		{"B.7.3 marker: none of what is purged", markers, func(r *world) {
			mustStore(r.T, r.s, "a", "")
			r.removes(1)(r.s.PurgeEx(r.Context(), actors.Filter("a"), 0, 0))
		}, map[string]uint64{}, nil},
		{"B.7.3 marker: none of what another limit removes", func(c *actors.Config) { markers(c); c.MaxMsgs = 1 }, func(r *world) {
			mustStore(r.T, r.s, "a", "")
			r.lives("b", "never")
		}, map[string]uint64{}, []uint64{2}},
		{"B.7.3 marker: none when a newer message comes before it is due", markers, func(r *world) {
			r.lives("a", "5")
			r.until(4900 * time.Millisecond)
			mustStore(r.T, r.s, "a", "")
		}, map[string]uint64{}, []uint64{2}},
	} {
		behaves(t, row.name, row.set, func(r *world) {
			row.put(r)
			r.until(10 * second)
			require.Equal(r, row.want, markersOf(r.T, r.s)) // with its headers, and no payload
			r.live(row.live...)
			r.crashed(func(s *actors.Store) { require.Equal(r, row.live, liveOf(r.T, s)) })
		})
	}
	behaves(t, "B.7.3 marker: goes by its own TTL, and leaves none", func(c *actors.Config) { markers(c); c.MaxAge = 0 }, func(r *world) {
		r.lives("a", "5")
		r.listen()
		r.until(14 * second)
		r.live(2)
		r.until(16 * second)
		r.live()
		r.wakesNobody(time.Hour)
		list := r.heard.take(r.T)
		require.Len(r, list, 3)
		require.Contains(r, list[0], "TTL -1")
		require.Contains(r, list[1], "stored +1")
		require.Contains(r, list[2], "TTL -1")
	})
	behaves(t, "B.7.3 marker: none where the meta file says less than a second", func(c *actors.Config) {
		meta := blockio.NewStreamMeta("ORDERS", time.Now())
		meta.AllowMsgTTL, meta.DeleteMarkerTTL = true, 999*time.Millisecond
		require.NoError(t, c.FS.MkdirAll("data/ORDERS"))
		require.NoError(t, blockio.WriteMeta(c.FS, "data/ORDERS", "ORDERS", meta))
	}, func(r *world) {
		r.lives("a", "5")
		r.until(6 * second)
		r.stays("0 0 2@- 1@0 [] 0")
	})
	behaves(t, "B.7.3 marker: below a second of TTL is refused", nil, func(r *world) {
		require.ErrorIs(r, r.s.UpdateConfig(r.Context(), actors.Config{Name: "ORDERS", SubjectDeleteMarkerTTL: second - 1}), actors.ErrConfig)
	})
}
