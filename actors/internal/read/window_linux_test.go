package read

import (
	"context"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestWindowPreparesMoreAndMore: of single records in a mapped block, the first is made resident alone, then
// two together, then four. No other system makes them so.
func TestWindowPreparesMoreAndMore(t *testing.T) {
	const apart, n, size = 64 << 10, 16, 100
	source := NewSource(Config{
		Stream: "ORDERS", FS: blockio.OS, Dir: t.TempDir(), Published: engine.NewPublished(), Shared: NewShared(4, 1<<20, 1),
	})
	path := source.Path(1)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, make([]byte, apart*n), 0o600))
	block, err := source.Blocks().Lease(blockio.BlockRef{ID: 1}, blockio.LeaseOptions{Whole: true, Keep: true})
	require.NoError(t, err)
	defer block.Release()
	require.True(t, block.Mapped())

	sc := source.NewScan(context.Background(), ScanOptions{Set: subject.Everything()}, nil)
	sc.window.reset(&part{reader: &blockReader{source: source, block: block}})
	defer sc.window.close(false)
	b := &sc.batch
	for i := range n {
		b.entries[i] = blockindex.Record{
			Offset: int64(i * apart), Size: size, CRC: crc32.Checksum(make([]byte, size), crcTable),
		}
	}
	b.n = n
	b.measure(false)
	for i := range 4 { // 0, then 1 and 2, then 3 to 6
		require.NotNil(t, sc.window.record(sc, i))
	}
	require.NoError(t, os.Truncate(path, 0))
	for i := range n {
		var buffer []byte
		_, err := block.At(b.entries[i].Offset, size, &buffer)
		require.Equal(t, i < 7, err == nil, "record %d", i)
	}
}
