package actors_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestTheFirstMessageFromATimeOnWhateverTheOrderOfTimes: in memory, in a file that goes on in memory, and in
// sealed blocks; with messages that are removed.
func TestTheFirstMessageFromATimeOnWhateverTheOrderOfTimes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, Sync: actors.SyncNever}
		s := open(t, config)
		n := &naive{}
		check := func() {
			for i := range 40 {
				at := second(i)
				got, err := s.GetSeqFromTime(t.Context(), at)
				require.NoError(rt, err)
				require.Equal(rt, n.fromTime(at), got, "from %d on", i)
				m := firstFrom(rt, t, s, at)
				if want := n.fromTime(at); want <= n.last {
					require.Equal(rt, want, m)
				} else {
					require.Zero(rt, m)
				}
			}
		}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				require.NoError(rt, s.Stop(t.Context()))
				s = open(t, config)
			case 1, 2:
				if n.last > 0 {
					gone := rapid.Uint64Range(1, n.last).Draw(rt, "gone")
					_, err := s.RemoveMsg(t.Context(), gone)
					if err == nil {
						n.remove(gone)
					}
				}
			default:
				at := second(rapid.IntRange(0, 30).Draw(rt, "at"))
				payload := strings.Repeat("x", rapid.SampledFrom([]int{0, 900}).Draw(rt, "payload"))
				_, err := s.StoreRaw(t.Context(), actors.RawMessage{Subject: "a", Payload: []byte(payload), Time: at})
				require.NoError(rt, err)
				n.last++
				n.live = append(n.live, record{sequence: n.last, time: at})
			}
		}
		check()
		require.NoError(rt, s.Stop(t.Context()))
	})
}

// firstFrom returns the sequence of the first message of a scan from a time on.
func firstFrom(rt *rapid.T, t *testing.T, s *actors.Store, at time.Time) uint64 {
	for m, err := range s.Messages(t.Context(), actors.FromTime(at)) {
		require.NoError(rt, err)
		return m.Sequence
	}
	return 0
}
