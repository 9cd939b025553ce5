package read

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestBitsetIsASet compares a bitset with a map under random operations.
func TestBitsetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		var memory bitset
		if rapid.Bool().Draw(t, "memory that held something") {
			memory = make(bitset, 10)
			memory.setRange(0, 640)
		}
		b, model := memory.reset(n), make(map[int]bool)
		at := rapid.IntRange(0, n-1)
		for range rapid.IntRange(0, 20).Draw(t, "operations") {
			from, to := at.Draw(t, "from"), at.Draw(t, "to")
			switch rapid.IntRange(0, 2).Draw(t, "operation") {
			case 0:
				b.set(from)
				model[from] = true
			case 1:
				b.setRange(from, to)
				for i := from; i < to; i++ {
					model[i] = true
				}
			default:
				b.clearRange(from, to)
				for i := from; i < to; i++ {
					delete(model, i)
				}
			}
		}
		require.Equal(t, uint64(len(model)), b.count())
		for i := -1; i <= 64*len(b)+1; i++ {
			next, prev := -1, -1
			for member := range model {
				if member >= i && (next < 0 || member < next) {
					next = member
				}
				if member <= i && member > prev {
					prev = member
				}
			}
			if i >= 0 {
				require.Equal(t, next, b.next(i), "next of %d", i)
			}
			require.Equal(t, prev, b.prev(i), "prev of %d", i)
		}
	})
}

// TestEmptyBitset has no member anywhere, and takes no memory that it need not.
func TestEmptyBitset(t *testing.T) {
	var b bitset
	require.Equal(t, -1, b.next(0))
	require.Equal(t, -1, b.prev(5))
	require.Zero(t, b.count())
	large := make(bitset, 100)
	require.Zero(t, testing.AllocsPerRun(10, func() { large = large.reset(100 * bits.UintSize) }))
}
