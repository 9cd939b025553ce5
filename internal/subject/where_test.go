package subject

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWhereAndUnion: sets with a predicate, and unions of them, match what each subject's own answers say.
func TestWhereAndUnion(t *testing.T) {
	names := []string{"a", "b", "a.b", "a.c", "b.c", "a.b.c"}
	texts := []string{"", ">", "*", "a.*", "*.c", "a.>", "a", "a.b", "x"}
	rapid.Check(t, func(t *rapid.T) {
		var sets []Set
		var want []func(string) bool
		for range rapid.IntRange(1, 3).Draw(t, "sets") {
			var patterns []Pattern
			for _, text := range rapid.SliceOfN(rapid.SampledFrom(texts), 0, 3).Draw(t, "patterns") {
				patterns = append(patterns, Compile(text))
			}
			set := NewSet(patterns...)
			matches := func(name string) bool { return set.Match([]byte(name)) }
			own := set
			for range rapid.IntRange(0, 2).Draw(t, "predicates") {
				taken := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "accepted")
				before := matches
				own = own.Where(func(name []byte) bool { return slices.Contains(taken, string(name)) })
				matches = func(name string) bool { return name != "" && before(name) && slices.Contains(taken, name) }
			}
			sets, want = append(sets, own), append(want, matches)
		}
		all := Union(sets...)
		for _, name := range append(names, "", "x", "other") {
			any := slices.ContainsFunc(want, func(f func(string) bool) bool { return f(name) })
			require.Equal(t, any, all.Match([]byte(name)), name)
			if any && !all.All() {
				require.True(t, slices.ContainsFunc(all.Patterns(), func(p Pattern) bool { return p.Match([]byte(name)) }))
			}
		}
		if text, exact := all.Exact(); exact {
			require.True(t, all.Match([]byte(text)))
		}
	})
}
