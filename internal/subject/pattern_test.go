package subject_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// naive matches token by token, the plain way.
func naive(pattern, s string) bool {
	if pattern == "" || pattern == ">" {
		return true
	}
	if s == "" {
		return false
	}
	p, t := strings.Split(pattern, "."), strings.Split(s, ".")
	for i, token := range p {
		if token == ">" && i == len(p)-1 {
			return len(t) > i
		}
		if i >= len(t) || token != "*" && token != t[i] {
			return false
		}
	}
	return len(p) == len(t)
}

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		pattern, subject string
		want             bool
	}{
		{"", "", true}, {">", "", true}, {">", "a", true}, {"", "a.b", true},
		{"*", "", false}, {"*.>", "", false}, {"*", "a", true}, {"*", "a.b", false},
		{"a", "a", true}, {"a", "a.b", false}, {"a.>", "a", false}, {"a.>", "a.b.c", true},
		{"a.*", "a.", true}, {"a.>", "a.", true}, {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false},
		{"a*", "ab", false}, {"a*", "a*", true}, {"a.>.c", "a.>.c", true}, {"a.>.c", "a.b.c", false},
		{"*.*", "a.b", true}, {"*.*", "a.b.c", false}, {"*.b", "a.b", true}, {"a", "", false},
	} {
		p := subject.Compile(row.pattern)
		require.Equal(t, row.want, p.Match([]byte(row.subject)), "%q %q", row.pattern, row.subject)
		require.Equal(t, naive(row.pattern, row.subject), row.want, "the test's own matcher: %q %q", row.pattern, row.subject)
	}
	p := subject.Literal("a.*")
	require.True(t, p.Match([]byte("a.*")))
	require.False(t, p.Match([]byte("a.b")))
}

func subjects() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a-", "a/", "ab", "", "b!"}), 0, 4).Draw(t, "tokens")
		return strings.Join(tokens, ".")
	})
}

func patterns() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a-", "*", "*", "", "b!"}), 0, 4).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "more") {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	})
}

func TestMatchAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern, s := patterns().Draw(t, "pattern"), subjects().Draw(t, "subject")
		p := subject.Compile(pattern)
		require.Equal(t, naive(pattern, s), p.Match([]byte(s)), "%q %q", pattern, s)
		if p.Match([]byte(s)) {
			require.True(t, strings.HasPrefix(s, p.Prefix()))
		}
		if tokens, atLeast, decides := p.Depth(); decides && s != "" {
			n := strings.Count(s, ".") + 1
			fits := n == tokens || atLeast && n >= tokens
			require.Equal(t, p.Match([]byte(s)), fits && strings.HasPrefix(s, p.Prefix()), "%q %q", pattern, s)
		}
	})
}

// Next never passes over a match, always gets on, and a walk with it finds all.
func TestNextFindsEveryMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(subjects(), 1, 40).Draw(t, "subjects")
		slices.Sort(list)
		list = slices.Compact(list)
		pattern := patterns().Draw(t, "pattern")
		p := subject.Compile(pattern)
		var want, got []string
		for _, s := range list {
			if naive(pattern, s) {
				want = append(want, s)
			}
		}
		for i := 0; i < len(list); {
			if p.Match([]byte(list[i])) {
				got = append(got, list[i])
				i++
				continue
			}
			next, ok := p.Next(nil, []byte(list[i]))
			if !ok {
				break
			}
			require.Greater(t, string(next), list[i], "%q does not get on", pattern)
			i, _ = slices.BinarySearch(list, string(next))
		}
		require.Equal(t, want, got, "%q over %q", pattern, list)
	})
}

func TestNextSkips(t *testing.T) {
	for _, row := range []struct {
		pattern, subject, want string
		ok                     bool
	}{
		{"a.*.c", "a.x.b", "a.x.c", true},
		{"a.*.c", "a.x.d", "a.x/", true},
		{"a.*.c", "b", "", false},
		{"a.*.c", "", "a.", true},
		{"a.*.c.d.*", "a.x", "a.x\x00", true},
		{"a.*.c.d.*", "a.x.c", "a.x.c.d.", true},
		{"a.b.>", "a.a", "a.b.", true},
		{"*.*", "a.b.c", "a.b/", true},
		{"a", "b", "a", false},
		{"b", "a", "b", true},
	} {
		p := subject.Compile(row.pattern)
		next, ok := p.Next(nil, []byte(row.subject))
		require.Equal(t, row.ok, ok, "%q %q", row.pattern, row.subject)
		if ok {
			require.Equal(t, row.want, string(next), "%q %q", row.pattern, row.subject)
		}
	}
}

func TestSetAgreesWithAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(patterns(), subjects()), 0, 14).Draw(t, "patterns")
		kept := slices.Clone(texts)
		list := make([]subject.Pattern, len(texts))
		for i, text := range texts {
			list[i] = subject.Compile(text)
		}
		set := subject.NewSet(list...)
		require.Equal(t, kept, texts)
		for range 10 {
			s := subjects().Draw(t, "subject")
			want := slices.ContainsFunc(texts, func(text string) bool { return naive(text, s) })
			require.Equal(t, want, set.Match([]byte(s)), "%q %q", texts, s)
			wild := 0
			set.Groups(func(group []subject.Pattern) bool {
				if slices.ContainsFunc(group, func(p subject.Pattern) bool { return p.Match([]byte(s)) }) {
					wild++
					require.True(t, strings.HasPrefix(s, group[0].Prefix()))
				}
				return true
			})
			literal := slices.ContainsFunc(set.Patterns(), func(p subject.Pattern) bool { return p.Exact() && p.String() == s })
			all := set.Wild()
			require.Equal(t, want && !literal, wild == 1, "%q by %q: %d groups", s, texts, wild)
			require.Equal(t, want && !literal, all.Match([]byte(s)))
			if length, ok := all.Whole([]byte(s)); ok {
				require.True(t, all.Match([]byte(s[:length]+subjects().Draw(t, "behind"))), "%q whole %q by %q", s, s[:length], texts)
			}
		}
		require.Equal(t, len(texts) == 0, set.None())
	})
}

func TestSetDropsWhatIsCovered(t *testing.T) {
	for _, row := range []struct{ patterns, kept string }{
		{"a.b a.* a.> b b", "a.> b"},
		{"a.* a.*", "a.*"},
		{"*.> a.> *.b.> a.b.*", "*.>"},
		{"*.b a.* a.b", "*.b a.*"},
		{"*.* *.b.* *.b.c *.b.>", "*.* *.b.>"},
		{"a.> a.*.>", "a.>"},
		{"*.*.> a.>", "*.*.> a.>"},
		{"a.*.c a.b.c a.*.* x.*.c", "a.*.* x.*.c"},
	} {
		var list []subject.Pattern
		for _, text := range strings.Fields(row.patterns) {
			list = append(list, subject.Compile(text))
		}
		set := subject.NewSet(list...)
		var kept []string
		for _, p := range set.Patterns() {
			kept = append(kept, p.String())
		}
		require.Equal(t, row.kept, strings.Join(kept, " "), row.patterns)
	}
}

// TestNextOfManyFindsEveryMatch: as TestNextFindsEveryMatch, for all wildcards of a set at once.
func TestNextOfManyFindsEveryMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(subjects(), 1, 40).Draw(t, "subjects")
		slices.Sort(list)
		list = slices.Compact(list)
		texts := rapid.SliceOfN(patterns(), 1, 10).Draw(t, "patterns")
		compiled := make([]subject.Pattern, len(texts))
		for i, text := range texts {
			compiled[i] = subject.Compile(text)
		}
		set := subject.NewSet(compiled...)
		all := set.Wild()
		if set.All() || all.None() {
			return
		}
		var want, got []string
		for _, s := range list {
			if all.Match([]byte(s)) {
				want = append(want, s)
			}
		}
		for i := 0; i < len(list); {
			if all.Match([]byte(list[i])) {
				got = append(got, list[i])
				i++
				continue
			}
			next, ok := all.Next(nil, []byte(list[i]))
			if !ok {
				break
			}
			require.Greater(t, string(next), list[i], "%q does not get on", texts)
			i, _ = slices.BinarySearch(list, string(next))
		}
		require.Equal(t, want, got, "%q over %q", texts, list)
	})
}

// TestNextOfManySkips: what is between two matches is passed over at once.
func TestNextOfManySkips(t *testing.T) {
	for _, row := range []struct {
		patterns, subject, want string
		ok                      bool
	}{
		{"a.*.c a.*.f", "a.x.b", "a.x.c", true},
		{"a.*.c a.*.f", "a.x.d", "a.x.f", true},
		{"a.*.c a.*.f", "a.x.g", "a.x/", true},
		{"a.*.c a.*.f", "b", "", false},
		{"a.*.c a.*.f", "", "a.", true},
		{"a.*.c.d.* a.*.f", "a.x.c", "a.x.c.d.", true},
		{"b.c.* b.d.e.>", "a", "b.c.", true},
		{"b.c.* b.d.e.>", "b.c.x.y", "b.c.x/", true},
		{"b.c.k b.d.e.> b.c.*.q", "b.cc", "b.d.e.", true},
		{"a.*.b *.z.c", "a.m.c", "a.m/", true},
		{"*.b *.b.*", "x", "x\x00", true},
	} {
		var list []subject.Pattern
		for _, text := range strings.Fields(row.patterns) {
			list = append(list, subject.Compile(text))
		}
		set := subject.NewSet(list...)
		all := set.Wild()
		next, ok := all.Next(nil, []byte(row.subject))
		require.Equal(t, row.ok, ok, "%q %q", row.patterns, row.subject)
		if ok {
			require.Equal(t, row.want, string(next), "%q %q", row.patterns, row.subject)
		}
	}
}

// FuzzMatch looks for texts on which Match and Next do not do what they say.
func FuzzMatch(f *testing.F) {
	f.Add("a.*.c", "a.b.c", "a.b.d")
	f.Add(">", "", "x")
	f.Add("*.>", "a..b", ".")
	f.Fuzz(func(t *testing.T, pattern, s, other string) {
		p := subject.Compile(pattern)
		if p.Match([]byte(s)) != naive(pattern, s) {
			t.Fatalf("%q %q", pattern, s)
		}
		if p.Match([]byte(s)) {
			return
		}
		next, ok := p.Next(nil, []byte(s))
		if ok && string(next) <= s {
			t.Fatalf("%q: next of %q is %q", pattern, s, next)
		}
		if naive(pattern, other) && other > s && (!ok || other < string(next)) {
			t.Fatalf("%q: next of %q passes over %q", pattern, s, other)
		}
	})
}
