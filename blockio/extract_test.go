package blockio_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestExtractTakesWhatIsWanted as it is, leaves all else, and shows the last sequence if no message does.
func TestExtractTakesWhatIsWanted(t *testing.T) {
	codec := blockio.NewRecordCodec("S", 4)
	var data []byte
	messages := make(map[uint64][]byte)
	for sequence := uint64(10); sequence < 30; sequence++ {
		record := codec.AppendMessage(nil, sequence, int64(sequence), "a", nil, bytes.Repeat([]byte("x"), int(sequence)))
		messages[sequence] = record
		data = append(data, record...)
		data = codec.AppendTombstone(data, sequence-5, 1)
	}
	data = codec.AppendFloor(codec.AppendSkip(data, 40, 40), 3)
	for _, proves := range []uint64{0, 28, 29, 35} {
		for _, torn := range []string{"", "no record at all, as it is while it is written"} {
			live := func(sequence uint64) bool { return sequence%3 == 1 && sequence < 29 }
			out, scan := blockio.Extract("x", 4, codec, append(bytes.Clone(data), torn...), make([]byte, 0, 10),
				blockio.Extraction{Live: live, ProvesLast: proves, LastTime: 77})
			require.Equal(t, 7, out.Messages)
			require.Equal(t, torn != "", scan.DamageCount > 0)
			var got []blockio.Record
			size := 0
			again := blockio.ScanBlock("x", 4, codec, out.Data, true, func(offset int64, r blockio.Record) {
				got = append(got, r)
				if r.Kind == blockio.KindMessage {
					require.Equal(t, messages[r.Sequence], out.Data[offset:offset+int64(r.Size)])
					size += r.Size
				}
			})
			require.Zero(t, again.DamageCount)
			require.False(t, again.Torn)
			require.Equal(t, int64(size), out.Bytes)
			if proves > 28 {
				last := got[len(got)-1]
				require.Equal(t, blockio.KindSkip, last.Kind)
				require.Equal(t, proves, last.Sequence)
				require.Equal(t, int64(77), last.Time)
				got = got[:len(got)-1]
			}
			require.Len(t, got, 7)
			for i, r := range got {
				require.Equal(t, uint64(10+3*i), r.Sequence)
			}
		}
	}
	none, _ := blockio.Extract("x", 4, codec, data, nil, blockio.Extraction{Live: func(uint64) bool { return false }})
	require.Empty(t, none.Data)
}
