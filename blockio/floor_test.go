package blockio

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFloorBytes pins a floor to its bytes in the block of another stream's tests, and to what it says.
func TestFloorBytes(t *testing.T) {
	codec := NewRecordCodec("DEL", 1)
	for _, first := range []uint64{1, 4711, 1<<58 + 5, MaxSequence} {
		data := codec.AppendFloor(nil, first)
		require.Len(t, data, EmptyRecordSize)
		r, err := codec.Decode(data)
		require.NoError(t, err)
		require.Equal(t, KindFloor, r.Kind)
		require.Equal(t, "floor", r.Kind.String())
		got, ok := r.Floor()
		require.True(t, ok)
		require.Equal(t, first, got)
		_, _, mark := r.FrameMark()
		require.False(t, mark)
	}
	require.Equal(t, "1e000000000000000000004067120000000000c00000", hex.EncodeToString(codec.AppendFloor(nil, 4711)[:22]))
	require.Empty(t, codec.AppendFloor(nil, 0))
	require.Empty(t, codec.AppendFloor(nil, MaxSequence+1))
}

// TestMarksAreNoFloors of either kind, and no other record is.
func TestMarksAreNoFloors(t *testing.T) {
	codec := NewRecordCodec("DEL", 1)
	mark := make([]byte, EmptyRecordSize)
	codec.PutFrameMark(mark, MaxFrameBytes, 0xffffffff)
	group := make([]byte, EmptyRecordSize)
	codec.PutGroupMark(group, MaxGroupRecords, 0xffffffff)
	for _, data := range [][]byte{mark, group, codec.AppendTombstone(nil, 3, -1), codec.AppendSkip(nil, 3, -1)} {
		r, err := codec.Decode(data)
		require.NoError(t, err)
		_, ok := r.Floor()
		require.False(t, ok, "%v", r.Kind)
	}
}
