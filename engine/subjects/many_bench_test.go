package subjects

import (
	"fmt"
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// BenchmarkManyPatterns: patterns with wildcards that overlap, over a million subjects.
func BenchmarkManyPatterns(b *testing.B) {
	const each = 1000
	x := New(1)
	sequence := uint64(0)
	for i := range each {
		for j := range each {
			sequence++
			x.Add(fmt.Sprintf("kv.%03d.%03d", i, j), 1, sequence, sequence, true, 100)
		}
	}
	x.Freeze()
	for _, row := range []struct {
		name, format string
		matches      uint64
	}{
		{"all", "kv.*.%03d", each * each},
		{"few", "kv.*.%03d.x", 0},
		{"one-in-a-hundred", "kv.*.%03d0", 0},
	} {
		for _, n := range []int{10, 1000, 5000} {
			var list []subject.Pattern
			for i := range n {
				list = append(list, subject.Compile(fmt.Sprintf(row.format, i)))
			}
			b.Run(fmt.Sprintf("%s-%d", row.name, n), func(b *testing.B) {
				for range b.N {
					set := subject.NewSet(list...)
					if n, _ := x.Tree().Total(&set); row.matches > 0 && n == 0 {
						b.Fatal(n)
					}
				}
			})
		}
	}
}
