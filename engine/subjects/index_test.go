package subjects

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

func stored(x *Index, name string, sequence uint64) uint32 {
	id := x.Stage(name, 0)
	x.Stored(id, sequence, 10)
	x.Published(0)
	return id
}

func get(t *testing.T, x *Index, name string) Info {
	info, ok := x.Tree().Get(name)
	require.True(t, ok)
	return info
}

func TestEndsAfterRemovals(t *testing.T) {
	x := New(1)
	id := stored(x, "a", 10)
	for _, sequence := range []uint64{20, 30, 40, 50} {
		stored(x, "a", sequence)
	}
	want := Info{ID: id, Count: 5, First: 10, Last: 50, FirstExact: true, LastExact: true, LastSize: 10}
	require.Equal(t, want, get(t, x, "a"))
	x.Removed(id, 30) // in the middle: both ends stay
	want.Count = 4
	require.Equal(t, want, get(t, x, "a"))
	x.Removed(id, 10)
	want.Count, want.First, want.FirstExact = 3, 11, false
	require.Equal(t, want, get(t, x, "a"))
	x.SetFirst(id, 20)
	want.First, want.FirstExact = 20, true
	require.Equal(t, want, get(t, x, "a"))
	x.Removed(id, 50)
	want.Count, want.Last, want.LastExact, want.LastSize = 2, 49, false, 0
	require.Equal(t, want, get(t, x, "a"))
	x.SetLast(id, 40, 7)
	want.Last, want.LastExact, want.LastSize = 40, true, 7
	require.Equal(t, want, get(t, x, "a"))
	x.RemovedMany(id, 1, 20) // what is left is the last
	want.Count, want.First = 1, 40
	require.Equal(t, want, get(t, x, "a"))
	x.Removed(id, 40)
	_, ok := x.Tree().Get("a")
	require.False(t, ok)
	requireEmpty(t, x)
}

// When the last is removed and one message is left of which the first is known, it is
// that.
func TestTheOnlyOneLeftIsTheFirst(t *testing.T) {
	x := New(1)
	id := stored(x, "a", 10)
	stored(x, "a", 20)
	x.Removed(id, 20)
	info := get(t, x, "a")
	require.Equal(t, []any{uint64(10), uint64(10), true, true}, []any{info.First, info.Last, info.FirstExact, info.LastExact})
}

func TestFarApart(t *testing.T) {
	x := New(1)
	id := stored(x, "a", 10)
	stored(x, "a", 1<<40)
	info := get(t, x, "a")
	require.Equal(t, []any{uint64(1), uint64(1 << 40), false, true}, []any{info.First, info.Last, info.FirstExact, info.LastExact})
	all := subject.NewSet(subject.Compile("a"), subject.Compile("*.>"))
	_, n, partial := x.Tree().Pending(&all, 11)
	require.EqualValues(t, 1, n)
	require.True(t, partial)
	x.RemovedMany(id, 1, 10)
	require.EqualValues(t, 1<<40, get(t, x, "a").First)
}

// Counts of four billion and more do not fit into an entry, and are exact.
func TestLargeCounts(t *testing.T) {
	const large = 1<<32 - 3
	x := New(1)
	x.Add("b", 3, 1, 3, true, 1)
	x.Add("a", large, 1, large, true, 10)
	id, _ := x.Lookup("a")
	for i := range uint64(3) {
		require.EqualValues(t, large+i, get(t, x, "a").Count)
		require.NoError(t, x.check())
		x.Freeze()
		before := x.Tree()
		stored(x, "a", large+i+1)
		info, _ := before.Get("a")
		require.EqualValues(t, large+i, info.Count)
	}
	x.Add("a", 1<<40, 1<<50, 1<<51, true, 10)
	require.EqualValues(t, large+3+1<<40, get(t, x, "a").Count)
	stars := subject.NewSet(subject.Compile("*"))
	n, sum := x.Tree().Total(&stars)
	require.Equal(t, []uint64{2, large + 6 + 1<<40}, []uint64{n, sum})
	sum, _, _ = x.Tree().Pending(&stars, 0)
	require.EqualValues(t, large+6+1<<40, sum)
	x.RemovedMany(id, 1<<40+3, 1<<50)
	require.EqualValues(t, large, get(t, x, "a").Count)
	require.NoError(t, x.check())
	x.RemovedMany(id, large, 1<<51)
	require.NoError(t, x.check())
	require.Empty(t, x.tree.over)
}

// A subject that loses its last message while another is staged keeps its id, and no
// reader sees it in between.
func TestZombie(t *testing.T) {
	x := New(1)
	id := stored(x, "a", 1)
	require.Equal(t, id, x.Stage("a", 1))
	x.Removed(id, 1)
	everything := subject.Everything()
	x.Tree().Walk(&everything, func([]byte, Info) bool { t.Fatal("it is shown"); return false })
	require.Zero(t, x.Tree().Len())
	_, ok := x.Info(id)
	require.False(t, ok)
	require.NoError(t, x.check())
	x.Stored(id, 2, 5)
	x.Published(1)
	require.Equal(t, Info{ID: id, Count: 1, First: 2, Last: 2, FirstExact: true, LastExact: true, LastSize: 5}, get(t, x, "a"))
	x.Stage("a", 0)
	x.Removed(id, 2)
	x.Published(0) // nothing came
	require.NoError(t, x.check())
	requireEmpty(t, x)
}

// A group that fails is published without messages: its new subjects are forgotten,
// but for those that the other group has staged as well.
func TestStagedInVain(t *testing.T) {
	x := New(1)
	a, b := x.Stage("a", 0), x.Stage("b", 0)
	require.Equal(t, b, x.Stage("b", 1))
	x.Published(0)
	require.NoError(t, x.check())
	_, ok := x.Lookup("a")
	require.False(t, ok)
	require.Equal(t, "b", string(x.AppendName(nil, b)))
	require.Equal(t, a, x.Stage("c", 0), "the id is used again")
	x.Stored(b, 1, 1)
	x.Published(1)
	x.Published(0)
	require.NoError(t, x.check())
	require.Equal(t, 1, x.Tree().Len())
}

// The table keeps within bounds when all hashes are the same.
func TestOneHash(t *testing.T) {
	x := New(1)
	x.mask = 0
	for i := range 5000 {
		stored(x, fmt.Sprint(i), uint64(i+1))
	}
	require.NoError(t, x.check())
	require.LessOrEqual(t, len(x.table.directory), 64)
}

func TestNoAllocations(t *testing.T) {
	x := New(1)
	var names []string
	for i := range 5000 {
		names = append(names, fmt.Sprintf("kv.%d.%d.a-name-that-is-longer-than-small-buffers", i%10, i))
		stored(x, names[i], uint64(i+1))
	}
	sequence, i := uint64(5000), 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i = (i + 37) % len(names)
		id := x.Stage(names[i], 1)
		sequence++
		x.Stored(id, sequence, 10)
		x.RemovedMany(id, 1, sequence-1)
		x.Published(1)
		x.Fetch(1, func(int) string { return names[i] })
		x.Tree().Get(names[i])
	}))
	set := subject.NewSet(subject.Compile("kv.*.*.>"))
	require.Less(t, testing.AllocsPerRun(10, func() {
		x.Tree().Walk(&set, func([]byte, Info) bool { return true })
	}), 10.0, "some for the walk, none for a subject")
}

// Removing nearly everything leaves few leaves: sparse ones join.
func TestSparseLeavesJoin(t *testing.T) {
	x := New(1)
	for i := range 50_000 {
		stored(x, fmt.Sprintf("kv.%05d", i*7919%50_000), uint64(i+1))
	}
	for i := range 50_000 {
		if name := fmt.Sprintf("kv.%05d", i); i%100 != 0 {
			id, _ := x.Lookup(name)
			x.RemovedMany(id, 1, 1<<20)
		}
	}
	require.NoError(t, x.check())
	require.Equal(t, 500, x.Tree().Len())
	require.Less(t, inUse(&x.leaves), 500/sparse*2)
	require.Less(t, inUse(&x.nodes), 10)
}
