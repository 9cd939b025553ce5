package actors_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// fired wants what schedules have produced on a subject: the payloads, and when, to a hundredth of a second.
func (r *world) fired(subject string, want ...string) {
	r.Helper()
	var list []string
	for m, err := range r.s.Messages(r.Context(), actors.Filter(subject)) {
		require.NoError(r, err)
		list = append(list, fmt.Sprintf("%s +%v", m.Payload, m.Time.Sub(r.begin).Truncate(10*time.Millisecond)))
	}
	require.Equal(r, want, list)
}

// rawBlock stores a raw message with a header block.
func (r *world) rawBlock(subject string, header actors.Header) {
	r.Helper()
	block, err := header.AppendBlock(nil)
	require.NoError(r, err)
	_, err = r.s.StoreRaw(r.Context(), actors.RawMessage{Subject: subject, HeaderBlock: block, Payload: []byte("raw"), Time: time.Now()})
	require.NoError(r, err)
}

// TestRowsOfSchedules are the rows of messages by which others are produced. The clock begins at midnight, 2000-01-01,
// a Saturday.
func TestRowsOfSchedules(t *testing.T) {
	const second = time.Second
	for _, row := range []struct {
		name, pattern string
		zone          string
		until         time.Duration
		want          []string
	}{
		{"B.7.4 pattern: @at", "@at 2000-01-01T00:00:05Z", "", time.Minute, []string{"by s +5s"}},
		{"B.7.4 pattern: @at, with an offset", "@at 2000-01-01T01:00:05+01:00", "", time.Minute, []string{"by s +5s"}},
		{"B.7.4 pattern: @at in the past", "@at 1999-01-01T00:00:00Z", "", time.Minute, []string{"by s +0s"}},
		{"B.7.4 pattern: @every", "@every 20s", "", time.Minute, []string{"by s +20s", "by s +40s", "by s +1m0s"}},
		{"B.7.4 pattern: @every second", "@every 1s", "", 3 * second, []string{"by s +1s", "by s +2s", "by s +3s"}},
		{"B.7.4 pattern: cron", "30 */2 * * * *", "", 5 * time.Minute, []string{"by s +30s", "by s +2m30s", "by s +4m30s"}},
		{"B.7.4 pattern: cron in a zone", "0 0 3 * * *", "Europe/Berlin", 24 * time.Hour, []string{"by s +2h0m0s"}},
		{"B.7.4 pattern: @hourly", "@hourly", "", 2 * time.Hour, []string{"by s +1h0m0s", "by s +2h0m0s"}},
		{"B.7.4 pattern: @daily", "@daily", "", 30 * time.Hour, []string{"by s +24h0m0s"}},
		{"B.7.4 pattern: @midnight", "@midnight", "", 30 * time.Hour, []string{"by s +24h0m0s"}},
		{"B.7.4 pattern: @weekly", "@weekly", "", 8 * 24 * time.Hour, []string{"by s +24h0m0s", "by s +192h0m0s"}},
		{"B.7.4 pattern: @monthly", "@monthly", "", 40 * 24 * time.Hour, []string{"by s +744h0m0s"}},
		{"B.7.4 pattern: @yearly", "@yearly", "", 370 * 24 * time.Hour, []string{"by s +8784h0m0s"}},
		{"B.7.4 pattern: @annually", "@annually", "", 370 * 24 * time.Hour, []string{"by s +8784h0m0s"}},
	} {
		behaves(t, row.name, withSchedules, func(r *world) {
			var more []string
			if row.zone != "" {
				more = []string{"Nats-Schedule-Time-Zone", row.zone}
			}
			scheduleOn(r.T, r.s, "s", row.pattern, "out", more...)
			r.until(row.until)
			r.fired("out", row.want...)
		})
	}
	for _, row := range []struct {
		name   string
		header actors.Header
	}{
		{"B.7.4 refused: no pattern", actors.Header{"Nats-Schedule": {"@sometimes"}, "Nats-Schedule-Target": {"out"}}},
		{"B.7.4 refused: @every below a second", actors.Header{"Nats-Schedule": {"@every 999ms"}, "Nats-Schedule-Target": {"out"}}},
		{"B.7.4 refused: no target", actors.Header{"Nats-Schedule": {"@every 1s"}}},
		{"B.7.4 refused: a TTL of what it produces that is none", actors.Header{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"out"}, "Nats-Schedule-TTL": {"soon"}}},
	} {
		behaves(t, row.name, withSchedules, func(r *world) {
			_, err := r.s.StoreMsg(r.Context(), "s", row.header, nil)
			require.ErrorIs(r, err, actors.ErrBadHeader)
			r.rawBlock("s", row.header) // a raw message is stored, and is no schedule
			r.until(time.Minute)
			r.live(1)
		})
	}
	behaves(t, "B.7.4 subject: a later schedule replaces an earlier one", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 2s", "out.a")
		scheduleOn(r.T, r.s, "s", "@every 3s", "out.b")
		r.live(2)
		r.until(5 * second)
		r.fired("out.a")
		r.fired("out.b", "by s +3s")
	})
	behaves(t, "B.7.4 subject: a later ordinary message suspends it", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 2s", "out")
		mustStore(r.T, r.s, "s", "")
		r.until(5 * second)
		r.fired("out")
		mustRemove(r.T, r.s, 2) // and a server would have forgotten it
		r.until(6250 * time.Millisecond)
		require.NotEmpty(r, firedOn(r.T, r.s, "out", r.begin))
	})
	behaves(t, "B.7.4 subject: a later message that a schedule has produced does not", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 2s", "out")
		scheduleOn(r.T, r.s, "other", "@every 3s", "s")
		r.until(5 * second)
		r.fired("out", "by s +2s", "by s +4s")
		r.fired("s", "by s +0s", "by other +3s")
	})

	behaves(t, "B.7.4 produced: its own payload, and its headers without those that are for itself", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out", "A", "b", "Nats-Msg-Id", "7", "Nats-Expected-Last-Msg-Id", "",
			"Nats-Schedule-Extra", "x", "Nats-Rollup", "sub")
		r.until(5 * second)
		m, err := r.s.LoadMsg(r.Context(), 2)
		require.NoError(r, err)
		header, err := m.Header()
		require.NoError(r, err)
		require.Equal(r, "out", m.Subject)
		require.Equal(r, "by s", string(m.Payload))
		require.Equal(r, actors.Header{"A": {"b"}, "Nats-Scheduler": {"s"}, "Nats-Schedule-Next": {"purge"}}, header)
	})
	behaves(t, "B.7.4 produced: says when it is due next", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 5s", "out")
		r.until(5 * second)
		m, err := r.s.LoadMsg(r.Context(), 2)
		require.NoError(r, err)
		require.Equal(r, "NATS/1.0\r\nNats-Scheduler: s\r\nNats-Schedule-Next: 2000-01-01T00:00:10Z\r\n\r\n", string(m.HeaderBlock))
	})
	behaves(t, "B.7.4 produced: the payload and the headers of the last message of the source", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out", "Nats-Schedule-Source", "in", "A", "schedule's")
		mustStore(r.T, r.s, "in", "old")
		_, err := r.s.StoreMsg(r.Context(), "in", actors.Header{"B": {"c"}, "Nats-TTL": {"1h"}, "Nats-Msg-Id": {"7"}}, []byte("new"))
		require.NoError(r, err)
		r.until(5 * second)
		m, err := r.s.LoadMsg(r.Context(), 4)
		require.NoError(r, err)
		require.Equal(r, "new", string(m.Payload))
		require.Equal(r, "NATS/1.0\r\nB: c\r\nNats-Scheduler: s\r\nNats-Schedule-Next: purge\r\n\r\n", string(m.HeaderBlock))
	})
	behaves(t, "B.7.4 produced: its own payload, where the source has no message", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out", "Nats-Schedule-Source", "in")
		r.until(5 * second)
		r.fired("out", "by s +5s")
	})
	behaves(t, "B.7.4 produced: with the TTL that the schedule asks for", func(c *actors.Config) { withSchedules(c); allowTTLs(c) }, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out", "Nats-Schedule-TTL", "10s")
		r.until(14 * second)
		r.live(2)
		r.until(15 * second)
		r.live()
	})
	behaves(t, "B.7.4 produced: with the roll-up that the schedule asks for", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 5s", "out", "Nats-Schedule-Rollup", "sub")
		mustStore(r.T, r.s, "out", "old")
		r.until(10 * second)
		r.fired("out", "by s +10s")
	})
	behaves(t, "B.7.4 due: together, in the order of sequences", withSchedules, func(r *world) {
		for _, subject := range []string{"c", "a", "b"} {
			scheduleOn(r.T, r.s, subject, "@at 2000-01-01T00:00:05Z", "out")
		}
		r.until(5 * second)
		r.fired("out", "by c +5s", "by a +5s", "by b +5s")
	})
	behaves(t, "B.7.4 due: runs are at least 250 ms apart", withSchedules, func(r *world) {
		for subject, at := range map[string]string{"a": "05", "b": "05.1", "c": "05.2"} {
			scheduleOn(r.T, r.s, subject, "@at 2000-01-01T00:00:"+at+"Z", "out."+subject)
		}
		r.until(6 * second)
		r.fired("out.a", "by a +5s")
		r.fired("out.b", "by b +5.25s")
		r.fired("out.c", "by c +5.25s")
	})
	behaves(t, "B.7.4 due: one that is due once fires once, and is gone with that", withSchedules, func(r *world) {
		r.listen()
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out")
		r.until(5 * second)
		r.live(2)
		require.Len(r, r.heard.take(r.T), 3, "stored, purged, stored")
		r.crashed(func(s *actors.Store) {
			waitFor(time.Hour)
			require.Equal(r, []uint64{2}, liveOf(r.T, s))
		})
		r.wakesNobody(time.Hour)
		r.live(2)
	})
	behaves(t, "B.7.4 due: a raw message with the next time arms it for that", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 5s", "out")
		header := actors.Header{"Nats-Scheduler": {"s"}, "Nats-Schedule-Next": {"2000-01-01T00:00:30Z"}}
		_, err := r.s.StoreMsg(r.Context(), "raw", header, nil)
		require.ErrorIs(r, err, actors.ErrBadHeader, "it is for schedules alone")
		r.rawBlock("raw", header)
		r.until(36 * second)
		r.fired("out", "by s +30s", "by s +35s")
	})
	behaves(t, "B.7.4 due: one that is replaced when it is due fires as the new one says", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:05Z", "out.a")
		r.until(5*second - 2*time.Millisecond)
		scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:10Z", "out.b")
		r.until(20 * second)
		r.fired("out.a")
		r.fired("out.b", "by s +10s")
	})
	behaves(t, "B.7.4 due: what was missed fires once, and goes on from now", withSchedules, func(r *world) {
		scheduleOn(r.T, r.s, "s", "@every 5s", "out")
		r.stop()
		waitFor(62 * second)
		r.s = open(r.T, r.config)
		r.until(71 * second)
		r.fired("out", "by s +1m2s", "by s +1m7s")
	})

	for _, row := range []struct {
		name   string
		remove func(r *world)
	}{
		{"B.7.4 gone: removed", func(r *world) { mustRemove(r.T, r.s, 1) }},
		{"B.7.4 gone: erased", func(r *world) { r.wants(r.s.EraseMsg, 1, true, nil) }},
		{"B.7.4 gone: purged by subject", func(r *world) { r.removes(1)(r.s.PurgeEx(r.Context(), actors.Filter("s"), 0, 0)) }},
		{"B.7.4 gone: with its whole block", func(r *world) { r.removes(4)(r.s.Compact(r.Context(), 5)) }},
		{"B.7.4 gone: with everything", func(r *world) { r.removes(7)(r.s.Purge(r.Context())) }},
	} {
		behaves(t, row.name, withSchedules, func(r *world) {
			scheduleOn(r.T, r.s, "s", "@at 2000-01-01T00:00:30Z", "out")
			r.put("a", "a", "a", "a", "a", "a")
			row.remove(r)
			r.until(time.Hour)
			r.fired("out")
			r.wakesNobody(time.Hour)
		})
	}
	for _, row := range []struct {
		name   string
		reopen func(r *world)
	}{
		{"B.7.4 recovered: after a stop", func(r *world) { r.reopen(nil) }},
		{"B.7.4 recovered: a file of schedules that is damaged is not read", func(r *world) {
			r.stop()
			require.NoError(r, blockio.ReplaceFile(r.config.FS, "data/ORDERS/msgs/"+blockio.SchedulesFile, []byte("garbage")))
			r.s = open(r.T, r.config)
		}},
		{"B.7.4 recovered: after a loss of power", func(r *world) {
			image := r.powerLoss()
			r.reopen(func(c *actors.Config) { c.FS = image })
		}},
	} {
		behaves(t, row.name, withSchedules, func(r *world) {
			scheduleOn(r.T, r.s, "first", "@every 10s", "out")
			r.put("a", "a", "a", "a")
			scheduleOn(r.T, r.s, "last", "@at 2000-01-01T00:00:15Z", "out") // the very last before that
			row.reopen(r)
			r.until(20 * second)
			r.fired("out", "by first +10s", "by last +15s", "by first +20s")
		})
	}
}
