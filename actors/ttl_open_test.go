package actors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestTTLsTurnedOnAtAnOpen spare what the stored MaxAge has left: that is applied first, as for all limits that change at
// an open, and a message that lives for ever is one like others to it. What it has not reached is spared from then on.
// What has a TTL that has come goes with the first look at the clock, also what was stored before.
func TestTTLsTurnedOnAtAnOpen(t *testing.T) {
	for _, row := range []struct {
		name   string
		closed time.Duration
		maxAge time.Duration // of the second opening
		want   []uint64      // one more minute later
	}{
		{"the age has passed while it was closed", 2 * time.Minute, 0, nil},
		{"it has not", 30 * time.Second, 0, []uint64{1, 4}},
		{"the age has passed, and is raised", 2 * time.Minute, time.Hour, nil},
		{"it has not, and is raised", 30 * time.Second, time.Hour, []uint64{1, 3, 4}},
	} {
		for _, indexFrom := range []int64{-1, 1} {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					config := inMemory()
					config.MaxAge, config.IndexFrom = time.Minute, indexFrom
					s := open(t, config)
					for _, ttl := range []string{"never", "20", "1h", "never"} {
						_, err := s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {ttl}}, make([]byte, 2000))
						require.NoError(t, err)
					}
					require.NoError(t, s.Stop(t.Context()))
					waitFor(row.closed)
					config.AllowMsgTTL = actors.On
					if row.maxAge > 0 {
						config.MaxAge = row.maxAge
					}
					s = open(t, config)
					waitFor(time.Second)
					require.NotContains(t, liveOf(t, s), uint64(2))
					waitFor(time.Minute)
					require.Equal(t, row.want, liveOf(t, s))
					require.NoError(t, s.Stop(t.Context()))
				})
			})
		}
	}
}
