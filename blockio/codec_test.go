package blockio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestARecordIsOfItsBlockAndItsStream: copied to another one it is damage there.
func TestARecordIsOfItsBlockAndItsStream(t *testing.T) {
	data := blockio.NewRecordCodec("ORDERS", 7).AppendMessage(nil, 1, 2, "a", nil, []byte("payload"))
	_, err := blockio.NewRecordCodec("ORDERS", 7).Decode(data)
	require.NoError(t, err)
	for _, other := range []*blockio.RecordCodec{
		blockio.NewRecordCodec("ORDERS", 8), blockio.NewRecordCodec("ORDER", 7), blockio.NewRecordCodec("orders", 7),
	} {
		_, err := other.Decode(data)
		require.ErrorIs(t, err, blockio.ErrCorrupt)
		kept := 0
		scan := blockio.ScanBlock("7.blk", 7, other, data, false, func(int64, blockio.Record) { kept++ })
		require.Zero(t, kept)
		require.Len(t, scan.Damage, 1)
	}
}
