package msgheader

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithout(t *testing.T) {
	dropA := func(name []byte) bool { return string(name) == "A" }
	for name, row := range map[string]struct{ block, want string }{
		"in front, in the middle, at the end": {"NATS/1.0\r\nA: 1\r\nB:  2 \r\nA: 3\r\nC:4\r\nA: 5\r\n\r\n", "NATS/1.0\r\nB:  2 \r\nC:4\r\n\r\n"},
		"nothing to drop":                     {"NATS/1.0\r\nAA: 1\r\n\r\n", "NATS/1.0\r\nAA: 1\r\n\r\n"},
		"nothing left":                        {"NATS/1.0\r\nA: 1\r\n\r\n", ""},
		"no block":                            {"", ""},
		"the status stays":                    {"NATS/1.0 503\r\nB: 1\r\n\r\n", "NATS/1.0 503\r\nB: 1\r\n\r\n"},
		"what is no header goes":              {"NATS/1.0\r\nhello\r\n: x\r\nB: 1", "NATS/1.0\r\nB: 1\r\n\r\n"},
		"a first line that is none":           {"hello\r\nB: 1\r\n\r\n", "NATS/1.0\r\nB: 1\r\n\r\n"},
	} {
		require.Equal(t, "x"+row.want, string(AppendWithout([]byte("x"), []byte(row.block), dropA)), name)
	}
}

func TestMarkerBlock(t *testing.T) {
	require.Equal(t, "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 1h0m1s\r\nNats-Rollup: sub\r\n\r\n", string(AppendMarker(nil, 3601)))
	var f Fields
	f.Read(AppendMarker(nil, math.MaxInt64))
	require.True(t, f.IsMarker())
	ttl, err := ParseTTL(f.TTL)
	require.NoError(t, err)
	require.Equal(t, int64(9223372036), ttl)
}

func TestProducedBlock(t *testing.T) {
	schedule := block("Nats-Schedule: @every 5s", "A: b", "Nats-Schedule-Target: t", "Nats-Schedule-X: y", "Nats-Scheduler: s",
		"Nats-Expected-Last-Sequence: 4", "Nats-Expected-: 4", "Nats-Msg-Id: 7", "Nats-TTL: 5", "Nats-Rollup: sub", "nats-ttl: 1", "Nats-Scale: 2")
	got := AppendProduced(nil, schedule, &Produced{Scheduler: "s.a", Next: NextPurge})
	require.Equal(t, string(block("A: b", "nats-ttl: 1", "Nats-Scale: 2", "Nats-Scheduler: s.a", "Nats-Schedule-Next: purge")), string(got))

	got = AppendProduced(nil, nil, &Produced{Scheduler: "s", Next: "2030-01-01T00:00:00Z", TTL: []byte("1m"), Rollup: []byte("sub")})
	require.Equal(t, string(block("Nats-Scheduler: s", "Nats-Schedule-Next: 2030-01-01T00:00:00Z", "Nats-TTL: 1m", "Nats-Rollup: sub")), string(got))
}

func TestASubjectAddsNoHeader(t *testing.T) {
	got := AppendProduced(nil, nil, &Produced{Scheduler: "s\r\nNats-Rollup: all", Next: NextPurge})
	require.Equal(t, string(block("Nats-Scheduler: s  Nats-Rollup: all", "Nats-Schedule-Next: purge")), string(got))
}
