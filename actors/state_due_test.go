package actors_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// TestWhatIsDueIsWrittenForAServer: after a stop thw.db has when each message that is there expires, and sched.db when each
// schedule is due, as far as the last sequence; and neither is there where nothing is.
func TestWhatIsDueIsWrittenForAServer(t *testing.T) {
	behave(t, func(c *actors.Config) {
		c.AllowMsgTTL, c.AllowMsgSchedules, c.Sync = actors.On, actors.On, actors.SyncAlways
	}, func(r *world) {
		file := func(name string) []byte {
			text, there := readAll(r.T, r.config.FS, "data/ORDERS/msgs/"+name)
			if !there {
				return nil
			}
			return []byte(text)
		}
		r.put("a")
		r.reopen(nil)
		require.Nil(r, file(blockio.TTLFile))
		require.Nil(r, file(blockio.SchedulesFile))

		for range 3 {
			mustStoreFor(r.T, r.s, "b", time.Hour) // 2, 3, 4
		}
		mustRemove(r.T, r.s, 3)
		scheduleOn(r.T, r.s, "first", "@every 1h", "out") // 5
		scheduleOn(r.T, r.s, "second", "@at 2100-01-01T00:00:00Z", "out")
		r.put("a", "a")
		r.stop()
		ttls, err := streamstate.DecodeTTLs(file(blockio.TTLFile))
		require.NoError(r, err)
		slices.SortFunc(ttls.Entries, func(a, b streamstate.TTL) int { return cmp.Compare(a.Sequence, b.Sequence) })
		require.Equal(r, uint64(9), ttls.Next)
		due := r.begin.Add(time.Second + time.Hour).UnixNano()
		require.Equal(r, []streamstate.TTL{{At: due, Sequence: 2}, {At: due, Sequence: 4}}, ttls.Entries)
		schedules, err := streamstate.DecodeSchedules(file(blockio.SchedulesFile))
		require.NoError(r, err)
		slices.SortFunc(schedules.Entries, func(a, b streamstate.Schedule) int { return cmp.Compare(a.Sequence, b.Sequence) })
		require.Equal(r, uint64(9), schedules.Next)
		require.Equal(r, []streamstate.Schedule{
			{Subject: "first", At: r.begin.Add(time.Second + time.Hour).UnixNano(), Sequence: 5},
			{Subject: "second", At: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), Sequence: 6},
		}, schedules.Entries)
		r.s = open(r.T, r.config)
	})
}
