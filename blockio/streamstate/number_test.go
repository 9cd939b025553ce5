package streamstate

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestNumberIsUvarint, and goes behind the end where that finds no number.
func TestNumberIsUvarint(t *testing.T) {
	check := func(t require.TestingT, data []byte, at int) {
		want, size := binary.Uvarint(data[at:])
		got, next := number(data, at)
		if size <= 0 {
			require.Zero(t, got, "%x", data[at:])
			require.Greater(t, next, len(data), "%x", data[at:])
			return
		}
		require.Equal(t, want, got, "%x", data[at:])
		require.Equal(t, at+size, next, "%x", data[at:])
	}
	for _, data := range [][]byte{
		nil, {0}, {0x7f}, {0x80}, {0x80, 0}, {0x80, 1}, binary.AppendUvarint(nil, math.MaxUint64),
		append(bytes.Repeat([]byte{0xff}, 9), 2), append(bytes.Repeat([]byte{0x80}, 10), 0),
	} {
		check(t, data, 0)
	}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.ByteRange(0x7e, 0x82)), 0, 24).Draw(t, "data")
		check(t, data, rapid.IntRange(0, len(data)).Draw(t, "at"))
	})
	_, next := number([]byte{1}, 2)
	require.Greater(t, next, 1, "behind the end there is none")
}
