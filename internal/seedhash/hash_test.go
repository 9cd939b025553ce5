package seedhash

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATextHashesAsItsBytesDo(t *testing.T) {
	for n := range 70 {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(i * 7)
		}
		require.Equal(t, Sum(5, string(text)), Sum(5, text), n)
	}
}

// TestEveryByteCounts: a change of one bit, and another seed, change half of the hash on
// average.
func TestEveryByteCounts(t *testing.T) {
	const seed = 0x1234567890abcdef
	for _, n := range []int{1, 2, 3, 4, 5, 8, 9, 16, 17, 40} {
		changed, tries := 0, 0
		for round := range 50 {
			text := fmt.Appendf(nil, "%0*d", n, round)[:n]
			sum := Sum(seed, text)
			changed, tries = changed+bits.OnesCount32(sum^Sum(seed+1, text)), tries+1
			for i := range 8 * n {
				text[i/8] ^= 1 << (i % 8)
				changed, tries = changed+bits.OnesCount32(sum^Sum(seed, text)), tries+1
				text[i/8] ^= 1 << (i % 8)
			}
		}
		require.InDelta(t, 16, float64(changed)/float64(tries), 1, n)
	}
}
