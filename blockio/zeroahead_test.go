package blockio

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAChunkOfZerosHoldsUpFewAppendsAndNoneForLong: whoever writes a chunk waits for it. Were it long, the slowest of a
// hundred appends would be one that waits for a chunk; were it short, there would be as many chunks as appends.
func TestAChunkOfZerosHoldsUpFewAppendsAndNoneForLong(t *testing.T) {
	const blockSize = 8 << 20
	for _, size := range []int64{60, 200, 9_000, 17_000, zeroGroup} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var ahead zeroAhead
			var chunks []int64
			end, have, appends := int64(0), int64(0), 0
			for end+size <= blockSize {
				end += size
				appends++
				extent, hole := ahead.extent(size, end, have, blockSize)
				require.False(t, hole)
				if extent > 0 {
					chunks = append(chunks, extent-end)
					have = extent
				}
				have = max(have, end)
			}
			require.NotEmpty(t, chunks)
			require.LessOrEqual(t, chunks[0], max(64<<10, 12*size))
			for _, chunk := range chunks[1:] {
				require.LessOrEqual(t, chunk, max(128<<10, 12*size))
			}
			require.Less(t, len(chunks)*6, appends)
			require.EqualValues(t, blockSize, have, "the zeros end with the block")
		})
	}
}

// TestAHoleIsForSeveralLargeAppends: it takes nothing of the disk, and whoever makes it waits for a sync that has a size to
// commit, as each would without. One append alone gets none.
func TestAHoleIsForSeveralLargeAppends(t *testing.T) {
	const blockSize = 8 << 20
	for _, size := range []int64{zeroGroup + 1, 100_000, 500_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var ahead zeroAhead
			var made []int64
			end, have := int64(0), int64(0)
			for n := 0; end+size <= blockSize; n++ {
				end += size
				extent, hole := ahead.extent(size, end, have, blockSize)
				if n == 0 {
					require.Zero(t, extent)
				}
				if extent > 0 {
					require.True(t, hole)
					made = append(made, extent-end)
					have = extent
				}
				have = max(have, end)
			}
			require.NotEmpty(t, made)
			for _, length := range made[:len(made)-1] {
				require.Equal(t, max(1<<20, 8*size), length)
			}
			require.EqualValues(t, blockSize, have, "the zeros end with the block")
		})
	}
}
