package actors

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFiltersOfOneSubjectAreKnownWithoutALookAtTokens: those, and no others.
func TestFiltersOfOneSubjectAreKnownWithoutALookAtTokens(t *testing.T) {
	for _, row := range []struct {
		filters Filters
		name    string
	}{
		{Filter("a.b"), "a.b"},
		{Literal("a.b"), "a.b"},
		{Literal("a.*"), "a.*"},
		{Literal(">"), ">"},
		{Literal("a..b"), "a..b"},
		{Filter("a..b"), ""}, // which is refused
		{Filter("a.*"), ""},
		{Filter("a.>"), ""},
		{Filter(">"), ""},
		{Filter(""), ""},
		{Literal(""), ""},
		{Filter(), ""},
		{Filter("a", "b"), ""},
		{Compile(Literal("a")), ""},
		{Where(func(string) bool { return false }, Literal("a")), ""},
	} {
		name, ok := row.filters.subject()
		require.Equal(t, row.name != "", ok, "%+v", row.filters)
		if ok {
			require.Equal(t, row.name, name)
		}
	}
}
