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
			first := 0
			for i := range set.Patterns() {
				p := &set.Patterns()[i]
				if p.Match([]byte(s)) && set.First(i, []byte(s)) {
					first++
				}
			}
			if want {
				require.Equal(t, 1, first, "%q counted %d times by %q", s, first, texts)
			} else {
				require.Zero(t, first)
			}
		}
		require.Equal(t, len(texts) == 0, set.None())
	})
}

func TestCoversIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := patterns().Draw(t, "a"), patterns().Draw(t, "b")
		p, q := subject.Compile(a), subject.Compile(b)
		if s := subjects().Draw(t, "subject"); p.Covers(&q) && naive(b, s) {
			require.True(t, naive(a, s), "%q covers %q, but not %q", a, b, s)
		}
	})
}

func TestSetDropsWhatIsCovered(t *testing.T) {
	set := subject.NewSet(subject.Compile("a.b"), subject.Compile("a.*"), subject.Compile("a.>"), subject.Compile("b"), subject.Compile("b"))
	var texts []string
	for _, p := range set.Patterns() {
		texts = append(texts, p.String())
	}
	require.Equal(t, []string{"a.>", "b"}, texts)
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
