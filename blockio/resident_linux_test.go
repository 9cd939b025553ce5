package blockio_test

import (
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestResidentIsMapped: what Resident returns faults no more.
func TestResidentIsMapped(t *testing.T) {
	pagemap, err := os.Open("/proc/self/pagemap")
	require.NoError(t, err)
	defer pagemap.Close()
	present := func(data []byte) bool {
		var entry [8]byte
		page := uintptr(os.Getpagesize())
		first := uintptr(unsafe.Pointer(&data[0])) / page
		last := uintptr(unsafe.Pointer(&data[len(data)-1])) / page
		for at := first; at <= last; at++ {
			_, err := pagemap.ReadAt(entry[:], int64(at)*8)
			require.NoError(t, err)
			if binary.LittleEndian.Uint64(entry[:])>>63 == 0 {
				return false
			}
		}
		return true
	}
	notMapped, all := 0, 0
	dir := t.TempDir()
	const blocks = 20
	putBlocks(t, blockio.OS, dir, blocks, bigBlock)
	s := blockio.NewBlockCache(blocks, 0).Source(blockio.OS, dir, "S")
	defer s.Close()
	for id := range uint32(blocks) {
		b := lease(t, s, id+1, lookUp)
		var buffer []byte
		_, err = b.At(5<<14, 10, &buffer)
		require.NoError(t, err)
		for i := int64(4); i < 8; i++ {
			data := b.Resident(i<<14, 1<<14)
			if data == nil {
				require.NotEqual(t, int64(5), i, "it was read")
				continue
			}
			all++
			if !present(data) {
				notMapped++
			}
		}
		b.Release()
	}
	require.Greater(t, all, blocks, "those around are there, too")
	require.Zero(t, notMapped, "of %d stretches that are said to be mapped", all)
}
