package engine

import (
	"fmt"
	"testing"
)

// BenchmarkDeletedSetShown removes half of the sequences of a block, one by one in no order, and shows readers the set
// after so many of them.
func BenchmarkDeletedSetShown(b *testing.B) {
	const span = 65_536
	for _, every := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("every=%d", every), func(b *testing.B) {
			b.ReportAllocs()
			var s deletedSet
			for i := range b.N {
				if i%(span/2) == 0 {
					s = deletedSet{}
				}
				at := uint64(1 + i*40_503%span)
				if s.contains(at) {
					continue
				}
				if s.add(at, at); i%every == 0 {
					s.snapshot()
				}
			}
		})
	}
}
