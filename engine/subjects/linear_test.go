package subjects

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestPatternsThatOverlapAreOnePass: a thousand patterns with wildcards that may match the same subjects cost one look at each
// leaf, and not one for each of them.
func TestPatternsThatOverlapAreOnePass(t *testing.T) {
	const each = 200
	x := New(1)
	sequence := uint64(0)
	for i := range each {
		for j := range each {
			sequence++
			x.Add(fmt.Sprintf("kv.%03d.%03d", i, j), 1, sequence, sequence, true, 100)
		}
	}
	x.Freeze()
	looks := func(format string, patterns int) (n int, subjects uint64) {
		var list []subject.Pattern
		for i := range patterns {
			list = append(list, subject.Compile(fmt.Sprintf(format, i)))
		}
		set := subject.NewSet(list...)
		tree := x.Tree().Until(func() bool { n++; return false })
		subjects, _ = tree.Total(&set)
		return n, subjects
	}
	// A leaf is at least a quarter full, and who waits is asked once in so many leaves.
	const onePass = each*each/(leafMax/4)/leavesUntilStop + 1
	for _, row := range []struct {
		format  string
		matches uint64
	}{
		{"kv.*.%03d", each * each}, // of the first 200, each once
		{"*.*.%03d", each * each},
		{"kv.*.%03d.>", 0},
	} {
		passes, subjects := looks(row.format, 1000)
		require.Equal(t, row.matches, subjects, row.format)
		require.LessOrEqual(t, passes, onePass, row.format)
	}
	apart, _ := looks("kv.%03d.*", 200)
	require.LessOrEqual(t, apart, onePass+200)
}
