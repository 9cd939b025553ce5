package blockio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

func TestPeekingIntoARecord(t *testing.T) {
	codec := blockio.NewRecordCodec("S", 1)
	for _, r := range []struct{ subject, header, payload string }{
		{"", "", ""}, {"a.b", "", "text"}, {"sub", "NATS/1.0\r\n\r\n", ""},
	} {
		record := codec.AppendMessage(nil, 3, 4, r.subject, []byte(r.header), []byte(r.payload))
		subject := blockio.SubjectOf(record)
		require.Equal(t, r.subject, string(subject))
		require.Equal(t, len(subject), cap(subject), "appending to it harms nobody")
		size, ok := blockio.FrameSize(record[:4])
		require.True(t, ok)
		require.Equal(t, len(record), size)
	}
	for name, head := range map[string][]byte{
		"no field":  {30, 0, 0},
		"too short": {29, 0, 0, 0},
		"too long":  {1, 0, 0, 2},
		"zeros":     {0, 0, 0, 0},
		"headers":   {5, 0, 0, 0x80},
	} {
		_, ok := blockio.FrameSize(head)
		require.False(t, ok, name)
	}
	size, ok := blockio.FrameSize([]byte{0, 0, 0, 0x82})
	require.True(t, ok, "the largest, with headers")
	require.Equal(t, blockio.MaxRecordSize, size)
}
