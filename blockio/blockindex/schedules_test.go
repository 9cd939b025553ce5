package blockindex

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestUnscheduled: an index says whether a message of its block is a schedule, or was produced by one.
func TestUnscheduled(t *testing.T) {
	for header, unscheduled := range map[string]bool{
		"": true, "NATS/1.0\r\nA: b\r\n\r\n": true, "NATS/1.0\r\nNats-Schedule-Next: purge\r\n\r\n": true,
		"NATS/1.0\r\nNats-Schedule: @at 2030-01-01T00:00:00Z\r\n\r\n":        false,
		"NATS/1.0\r\nA: b\r\nNats-Schedule: what nobody understands\r\n\r\n": false,
		"NATS/1.0\r\nNats-Scheduler: a\r\n\r\n":                              false,
	} {
		codec := blockio.NewRecordCodec("S", 3)
		data := codec.AppendMessage(nil, 1, 1, "a", nil, []byte("x"))
		data = codec.AppendMessage(data, 2, 2, "a", []byte(header), []byte("x"))
		data = codec.AppendMessage(data, 3, 3, "a", nil, []byte("x"))
		stat := blockio.FileStat{Size: int64(len(data))}
		image, _, err := Build("3.blk", 3, codec, data, stat)
		require.NoError(t, err)
		h, err := openHeader(image, true)
		require.NoError(t, err)
		require.Equal(t, unscheduled, h.sum.Unscheduled, header)
		image, _, err = BuildAround("3.blk", 3, codec, data, []blockio.SectorRange{{From: 60, To: 70}}, stat)
		require.NoError(t, err)
		h, err = openHeader(image, true)
		require.NoError(t, err)
		require.False(t, h.sum.Unscheduled, "what cannot be read may be a schedule")
	}
}
