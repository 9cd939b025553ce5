package subjects

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

func setOf(patterns ...string) subject.Set {
	var list []subject.Pattern
	for _, p := range patterns {
		list = append(list, subject.Compile(p))
	}
	return subject.NewSet(list...)
}

// TestOnlyWhatMatchesEverySubjectCovers: whatever the tree says that a set covers, the set matches.
func TestOnlyWhatMatchesEverySubjectCovers(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	covered := 0
	for range 300 {
		x := New(r.Uint64())
		sequence := uint64(0)
		for range 1 + r.Intn(200) {
			name := []string{"a", "a.b", "a.b.", "a.b." + strings.Repeat("c.", r.Intn(3)) + fmt.Sprint(r.Intn(99)), "a.b.c", "a.bb"}[r.Intn(6)]
			if r.Intn(50) > 0 && name == "a" {
				name = "a.b.x"
			}
			sequence++
			x.Stored(x.Stage(name, 0), sequence, 1)
			x.Published(0)
		}
		for range r.Intn(100) { // some lose their messages
			id := uint32(r.Intn(200))
			if info, ok := x.Info(id); ok {
				x.RemovedMany(id, info.Count, info.Last)
			}
		}
		tree := x.Tree()
		for _, patterns := range [][]string{{"a.>"}, {"a.b.>"}, {"a.*"}, {"a.b.*"}, {"*.b.>"}, {"a.b.c.>", "a.>"}, {"a.b"}, {">"}, {"b.>"}, {"a.*.>"}} {
			set := setOf(patterns...)
			if tree.Covered(&set) {
				covered++
				live, messages := tree.Total(&set)
				require.Equal(t, [2]uint64{uint64(tree.Len()), tree.Messages()}, [2]uint64{live, messages}, "%v", patterns)
			}
		}
	}
	require.Greater(t, covered, 100)
}

func TestCoveredIsWhatAllSubjectsBeginWith(t *testing.T) {
	x := New(1)
	for i, name := range []string{"kv.1.a", "kv.2", "kv.9.z.z"} {
		x.Stored(x.Stage(name, 0), uint64(i+1), 1)
	}
	x.Published(0)
	for _, row := range []struct {
		patterns []string
		covered  bool
	}{
		{[]string{"kv.>"}, true},
		{[]string{">"}, true},
		{[]string{"x", "kv.>"}, true},
		{[]string{"kv.*.>"}, false}, // not kv.2
		{[]string{"kv.1.>"}, false},
		{[]string{"*.>"}, false}, // it does, but that is not plain
		{[]string{"kv.2"}, false},
		{nil, false},
	} {
		set := setOf(row.patterns...)
		require.Equal(t, row.covered, x.Tree().Covered(&set), "%v", row.patterns)
		where := set.Where(func([]byte) bool { return true })
		require.False(t, x.Tree().Covered(&where), "%v of some", row.patterns)
	}
	none := setOf("kv.>")
	require.False(t, New(1).Tree().Covered(&none), "an empty tree")
}
