package msgheader

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLifeOf(t *testing.T) {
	for name, row := range map[string]struct {
		block []byte
		want  Life
	}{
		"nothing":                  {nil, Life{}},
		"other headers":            {block("A: b"), Life{}},
		"seconds":                  {block("A: b", "Nats-TTL: 7"), Life{TTL: 7}},
		"a duration":               {block("Nats-TTL: 1m1.5s"), Life{TTL: 61}},
		"never":                    {block("Nats-TTL: NEVER"), Life{TTL: Never}},
		"none that is understood":  {block("Nats-TTL: 500ms"), Life{}},
		"the first counts":         {block("Nats-TTL: 7", "Nats-TTL: 8"), Life{TTL: 7}},
		"the first, if it is none": {block("Nats-TTL:", "Nats-TTL: 8"), Life{}},
		"a marker":                 {AppendMarker(nil, 90), Life{TTL: 90, Marker: true}},
		"a purge of a key":         {block("KV-Operation: PURGE"), Life{Marker: true}},
		"a deletion of one":        {block("KV-Operation: DEL", "Nats-TTL: 7"), Life{TTL: 7}},
	} {
		require.Equal(t, row.want, LifeOf(row.block), name)
	}
	b := block("A: b", "Nats-TTL: 60", "Nats-Marker-Reason: MaxAge")
	require.Zero(t, testing.AllocsPerRun(100, func() { LifeOf(b) }))
}
