package blockindex

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEstimate: a message begins no further than a cache line from where it is expected, or nothing is.
func TestEstimate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, length := range map[string]func(i int) int{
		"of one length":     func(int) int { return 150 },
		"nearly so":         func(i int) int { return 150 + i%3 },
		"of all lengths":    func(int) int { return random.IntN(500) },
		"one large message": func(i int) int { return 150 + i/200*(1-min(i-200, 1))*5000 },
		"large ones":        func(int) int { return 20_000 },
	} {
		b := newBlock()
		for i := range 3*recordsPerPage - 9 {
			if i%100 == 50 {
				b.skip(uint64(2*i+1), int64(i))
			}
			b.message(uint64(2*i+2), int64(i), fmt.Sprintf("s.%d", i%90), strings.Repeat("x", length(i)))
		}
		image := b.image(t)
		mapped, err := Open(image, b.identity(), Options{Pages: NewPageCache(PageSize)})
		require.NoError(t, err)
		private, err := OpenImage(image)
		require.NoError(t, err)
		for _, x := range []*Index{mapped, private} {
			_, _, ok := x.Estimate(5)
			require.False(t, ok, "%s: before the page was used", name)
			known := 0
			for i, want := range b.record {
				for range 2 { // a page is at hand from its second use on
					_, err := x.Record(i)
					require.NoError(t, err)
				}
				offset, size, ok := x.Estimate(i)
				if !ok {
					continue
				}
				known++
				require.InDelta(t, want.Offset, offset, estimateSlack, "%s: %d", name, i)
				require.InDelta(t, want.Size, size, 5, "%s: %d", name, i)
			}
			switch name {
			case "of all lengths":
				require.Zero(t, known)
			case "one large message":
				require.Equal(t, len(b.record)-recordsPerPage, known, "of two pages of three")
			default:
				require.Equal(t, len(b.record), known, name)
			}
			require.Zero(t, testing.AllocsPerRun(10, func() { x.Estimate(7) }))
		}
	}
}
