package blockio

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLengthsInACompactedBlock are held against the mark, although sequences are missing between its records and before
// its frames: one flipped bit in them costs the record that it is in, and nothing wrong is read.
func TestLengthsInACompactedBlock(t *testing.T) {
	key := NewRecordCodec("S", 1)
	var data []byte
	for sequence := uint64(1); sequence <= 12; sequence++ {
		data = key.AppendMessage(data, sequence, 1, "subject", nil, bytes.Repeat([]byte{byte(sequence)}, 20_000))
	}
	out, err := Compact("", 1, key, data, anyOf(0, 2, 4, 5, 7, 9, 12))
	require.NoError(t, err)
	type placed struct {
		offset int64
		record Record
	}
	var list []placed
	frames := 0
	ScanBlock("", 1, key, out.Data, false, func(offset int64, r Record) { list = append(list, placed{offset, r}) })
	for at := 0; at < len(out.Data); {
		r, err := key.Decode(out.Data[at:])
		require.NoError(t, err)
		if at += r.Size; r.Kind == KindGroupMark {
			frames++
		}
	}
	require.Len(t, list, 6)
	require.Equal(t, 3, frames, "with the mark of nothing")
	for _, hit := range list {
		for bit := range 16 {
			wrong := bytes.Clone(out.Data)
			wrong[hit.offset+20+int64(bit/8)] ^= 1 << (bit % 8)
			scan := ScanBlock("", 1, key, wrong, false, func(offset int64, r Record) {
				i := slices.IndexFunc(list, func(p placed) bool { return p.offset == offset })
				require.GreaterOrEqual(t, i, 0)
				require.Equal(t, "subject", string(r.Subject), "bit %d of the subject's length of %d", bit, hit.record.Sequence)
				require.True(t, bytes.Equal(list[i].record.Payload, r.Payload))
			})
			require.Equal(t, []uint64{hit.record.Sequence}, scan.Lost)
		}
	}
}
